-- Speed: fewer pages written for each request, and fewer read.
-- Keep this file and its twin for PostgreSQL alike, statement for statement.

-- Requests that may be sent again ------------------------------------------------------------------

-- Answers of an earlier version: looked at until the last of them is too old to be given again.
ALTER TABLE idempotency RENAME TO idempotency_before;

-- Rows are added at the end and forgotten from the front, so that a group of requests fills a page or two.
CREATE TABLE idempotency (
    seq        INTEGER PRIMARY KEY,
    hash       INTEGER NOT NULL, -- where to look: of key id and key, in the number range of its 30 days; not unique
    key_id     TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    digest     BLOB    NOT NULL, -- SHA-256 over method, path and body
    status     INTEGER NOT NULL,
    body       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX idempotency_hash ON idempotency (hash);
