-- Speed: fewer pages written for each request, and fewer read.
-- Keep this file and its twin for PostgreSQL alike, statement for statement.

-- Entries ------------------------------------------------------------------------------------------

-- Entries are written one after the other, and nothing else is written for one: each names the account's entry
-- before, the account its newest. Whose they are is proved by the chain, not looked up for each.
CREATE TABLE entry_chained (
    id         INTEGER PRIMARY KEY,
    previous   INTEGER,          -- the account's entry before; NULL: there is none
    account_id TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    operation  TEXT    NOT NULL, -- the id of what moved them: a grant, a debit, a delivery, a correction
    kind       TEXT    NOT NULL,
    grant_id   TEXT,
    source     TEXT    NOT NULL, -- pool, site:ID, or a system account
    target     TEXT    NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount > 0),
    booked_at  INTEGER NOT NULL,
    hash       BLOB    NOT NULL, -- SHA-256 over the row and the account's previous hash
    CHECK (source <> target)
) STRICT;

INSERT INTO entry_chained (account_id, seq, operation, kind, grant_id, source, target, amount, booked_at, hash)
    SELECT account_id, seq, operation, kind, grant_id, source, target, amount, booked_at, hash FROM entry ORDER BY id;

CREATE UNIQUE INDEX entry_numbered ON entry_chained (account_id, seq);

UPDATE entry_chained SET previous = (SELECT p.id FROM entry_chained p
                                     WHERE p.account_id = entry_chained.account_id AND p.seq = entry_chained.seq - 1);

-- Its newest entry; NULL: it has none.
ALTER TABLE account ADD COLUMN last_entry INTEGER;
UPDATE account SET last_entry = (SELECT e.id FROM entry_chained e
                                 WHERE e.account_id = account.id AND e.seq = account.entry_seq);

-- The entries of a debit were numbers in its account: now they are the first and the last id, and those between that
-- name the debit.
ALTER TABLE debit RENAME COLUMN entries TO last_entry;
UPDATE debit SET first_entry = COALESCE((SELECT e.id FROM entry_chained e
                                         WHERE e.account_id = debit.account_id AND e.seq = debit.first_entry), 0),
                 last_entry = COALESCE((SELECT e.id FROM entry_chained e
                                        WHERE e.account_id = debit.account_id
                                          AND e.seq = debit.first_entry + debit.last_entry - 1), 0);

DROP INDEX entry_numbered;
DROP TABLE entry;
ALTER TABLE entry_chained RENAME TO entry;

-- What became of a grant, without what was used of it: that stands with the grant, and is most of all entries.
CREATE INDEX entry_grant ON entry (grant_id) WHERE kind <> 'spent';

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

-- Debits -------------------------------------------------------------------------------------------

-- What the account's debits changed that the tables do not say yet, as JSON: what they took from slices, what was
-- spent in each quarter of an hour, the lines of the activity.
ALTER TABLE account ADD COLUMN unsettled TEXT;

-- What slices, grants, counters and lines are with that. The two engines read JSON in words of their own.
CREATE VIEW unsettled_slice AS
    SELECT a.id AS account_id, u.value ->> 0 AS grant_id, u.value ->> 1 AS site, CAST(u.value ->> 2 AS BIGINT) AS taken
    FROM account a, json_each(a.unsettled, '$.taken') u;
CREATE VIEW unsettled_spending AS
    SELECT a.id AS account_id, u.value ->> 0 AS site, u.value ->> 1 AS agent, CAST(u.value ->> 2 AS BIGINT) AS captured,
           CAST(u.value ->> 3 AS BIGINT) AS since
    FROM account a, json_each(a.unsettled, '$.spent') u;
CREATE VIEW unsettled_line AS
    SELECT a.id AS account_id, u.value ->> 'site' AS site, u.value ->> 'label' AS label,
           CAST(u.value ->> 'seq' AS BIGINT) AS seq, CAST(u.value ->> 'at' AS BIGINT) AS at,
           CAST(u.value ->> 'credits' AS BIGINT) AS credits, CAST(u.value ->> 'quantity' AS BIGINT) AS quantity
    FROM account a, json_each(a.unsettled, '$.lines') u;
CREATE VIEW slice_now AS
    SELECT s.grant_id, s.site, s.account_id,
           CAST(s.remaining - COALESCE((SELECT SUM(u.taken) FROM unsettled_slice u
                                        WHERE u.account_id = s.account_id AND u.grant_id = s.grant_id
                                          AND u.site = s.site), 0) AS BIGINT) AS remaining,
           s.held
    FROM slice s;
CREATE VIEW grant_now AS
    SELECT g.id, g.account_id, g.seq, g.category, g.priority, g.label, g.reason, g.granted_at, g.effective_at,
           g.expires_at, g.voided_at, g.void_reason, g.frozen, g.store_id, g.order_id, g.line_id, g.line_seq, g.amount,
           CAST(g.spent + COALESCE((SELECT SUM(u.taken) FROM slice s
                                    JOIN unsettled_slice u ON u.account_id = s.account_id AND u.grant_id = s.grant_id
                                                          AND u.site = s.site
                                    WHERE s.grant_id = g.id), 0) AS BIGINT) AS spent,
           g.reversed, g.expired, g.clawed, g.voided, g.adjusted, g.repaid
    FROM credit_grant g;
CREATE VIEW activity_now AS
    SELECT l.account_id, l.seq, l.at, l.hour, l.kind, l.site, l.label,
           CAST(l.credits - COALESCE(u.credits, 0) AS BIGINT) AS credits, l.order_id,
           CAST(l.quantity + COALESCE(u.quantity, 0) AS BIGINT) AS quantity
    FROM activity l
    LEFT JOIN unsettled_line u ON u.account_id = l.account_id AND l.kind = 'usage' AND u.site = l.site
                              AND u.label = l.label AND u.at - u.at % 3600000 = l.hour
    UNION ALL
    SELECT u.account_id, u.seq, u.at, u.at - u.at % 3600000, 'usage', u.site, u.label, -u.credits, NULL, u.quantity
    FROM unsettled_line u
    WHERE NOT EXISTS (SELECT 1 FROM activity l
                      WHERE l.account_id = u.account_id AND l.kind = 'usage' AND l.site = u.site
                        AND l.label = u.label AND l.hour = u.at - u.at % 3600000);

-- Whose turn it is to write ------------------------------------------------------------------------

-- One row. Whichever program writes leaves another number here when its last commit was not the newest, so that one
-- that keeps in memory what it read notices that another wrote.
CREATE TABLE turn (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    number INTEGER NOT NULL
) STRICT;

INSERT INTO turn (one, number) VALUES (1, 0);
