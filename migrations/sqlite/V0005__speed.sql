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

-- Deliveries ---------------------------------------------------------------------------------------

-- A delivery is written once, with what became of it. A repeat is looked for among the deliveries of its order, so
-- no index is written at random.
CREATE TABLE delivery_now (
    seq             INTEGER PRIMARY KEY, -- its place in the order of arrival
    id              TEXT    NOT NULL,
    store_id        INTEGER NOT NULL REFERENCES store (id),
    topic           TEXT    NOT NULL,
    webhook_id      TEXT    NOT NULL,
    woo_delivery_id TEXT    NOT NULL, -- not unique: a hash of webhook and second
    digest          BLOB    NOT NULL, -- SHA-256 of the body
    received_at     INTEGER NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('applied', 'parked', 'ignored', 'stale', 'failed')),
    result          TEXT    NOT NULL, -- what the shop was told
    reason          TEXT,             -- why it is not applied, in words
    order_id        INTEGER,
    body            BLOB              -- NULL once pruned; the last, so that a list need not read it
) STRICT;

INSERT INTO delivery_now (seq, id, store_id, topic, webhook_id, woo_delivery_id, digest, received_at, state, result,
                          reason, order_id, body)
    SELECT seq, id, store_id, topic, webhook_id, woo_delivery_id, digest, received_at, state, result, reason,
           order_id, body
    FROM delivery ORDER BY seq;
DROP TABLE delivery;
ALTER TABLE delivery_now RENAME TO delivery;

CREATE UNIQUE INDEX delivery_id ON delivery (id);
CREATE INDEX delivery_order ON delivery (store_id, order_id, digest);
CREATE INDEX delivery_store ON delivery (store_id, seq);
CREATE INDEX delivery_state ON delivery (state, seq);
