//! The integration tests, one binary.

mod app;
mod support;
mod fake_shop;

mod server;
mod shop;
mod sites;
mod catalog;
mod orders;
mod feed;
mod cli;
mod books;
mod webhooks;
mod lookups;
mod reconcile;
mod config;
mod debits;
mod crash;
mod tidy;
mod errors;
mod twists;
mod sim;
mod pains;
