# The two commands most people need: `make demo` and `make test`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# Stages follow one another so that the first failure is the last thing on the screen.
.NOTPARALLEL:

CARGO ?= cargo
# A path on the command line wins: make test-wordpress NIVELLA_TEST_BIN=$PWD/target/release/nivella-wallet
NIVELLA_TEST_BIN ?= $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/debug/nivella-wallet
export NIVELLA_TEST_BIN

PHP_FILES = $(shell find wp-plugin tests -name node_modules -prune -o -name '*.php' -print 2>/dev/null)
WORDPRESS_TESTS = $(sort $(wildcard tests/wordpress/*.test.mjs))

.PHONY: help
help: ## shows this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## starts the daemon and a WordPress with the plugin, replays recorded orders, prints links
	@scripts/setup demo
	@node tests/wordpress/demo.mjs

.PHONY: test
test: setup lint test-rust test-api test-php test-wordpress ## installs what is missing and runs everything
	@printf '\n==> everything passed\n'

.PHONY: setup
setup: ## installs what the tests need and this machine lacks
	@scripts/setup test

.PHONY: lint
lint: ## formatting, clippy and shell scripts, without changing anything
	@scripts/stage 'Rust formatting' $(CARGO) fmt --check
	@scripts/stage 'clippy' $(CARGO) clippy --quiet --all-targets -- -D warnings
	@if command -v shellcheck >/dev/null; then scripts/stage 'shellcheck' shellcheck .ci/run $$(grep -lE '^#!.*bash' scripts/*); fi

.PHONY: test-rust
test-rust: ## Rust tests, on SQLite and on a PostgreSQL started for them
	@NIVELLA_STEPS=$${NIVELLA_STEPS:-50000} scripts/stage 'Rust tests' scripts/with-postgres $(CARGO) test

.PHONY: test-api
test-api: ## the daemon against its own API document, with Schemathesis; SEED= repeats a run
	@scripts/stage 'daemon for the API tests' $(CARGO) build --quiet
	@scripts/stage 'API tests' scripts/schemathesis

.PHONY: test-long
test-long: test-matrix ## every WordPress on every PHP, 200,000 order histories and 10,000,000 steps of the ledger; SEED= chooses which
	@NIVELLA_HISTORIES=200000 scripts/stage '200,000 histories' $(CARGO) test --test it sim:: -- --nocapture
	@NIVELLA_STEPS=10000000 scripts/stage '10,000,000 steps' $(CARGO) test --profile long --test it model:: -- --nocapture

.PHONY: test-php
test-php: ## syntax of every PHP file, and PHPUnit without WordPress
	@scripts/stage 'PHP syntax' scripts/php-lint $(PHP_FILES)
	@scripts/stage 'PHP tests' phpunit -c tests/php/phpunit.xml

.PHONY: test-wordpress
test-wordpress: ## the plugin in a real WordPress, driven by a real browser
	@scripts/stage 'daemon for the browser tests' $(CARGO) build --quiet
	@# Each file waits for its own WordPress most of the time: two of them share two cores well.
	@scripts/stage 'browser tests' node --test --test-concurrency=2 --test-reporter=spec $(WORDPRESS_TESTS)

.PHONY: test-matrix
test-matrix: ## the plugin in WordPress 6.2, 6.5 and 7.1 on PHP 7.4, 8.3 and 8.5; MATRIX=6.2/7.4 for one of them
	@scripts/setup test
	@scripts/setup matrix
	@scripts/stage 'daemon for the matrix' $(CARGO) build --quiet
	@scripts/stage 'old and new WordPress on old and new PHP' node --test --test-reporter=spec tests/wordpress/matrix/matrix.test.mjs

.PHONY: plugin-zip
plugin-zip: ## makes an archive of the plugin that WordPress can install
	@scripts/plugin-zip

.PHONY: bench
bench: ## measures the release build beside PostgreSQL and Redis; ROUNDS= SECS= ENTRIES= ONLY= MARKDOWN=1
	@scripts/setup bench
	@$(CARGO) bench --quiet --bench bench

.PHONY: fmt
fmt: ## formats the Rust code
	$(CARGO) fmt

.PHONY: clean
clean: ## removes what building and testing left here
	$(CARGO) clean
	rm -rf tests/wordpress/node_modules
