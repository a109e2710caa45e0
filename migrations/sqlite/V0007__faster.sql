-- Faster: what a delivery, a debit and a feed need not write and need not read.
-- Keep this file and its twin for PostgreSQL alike, statement for statement.

-- Debits -------------------------------------------------------------------------------------------

-- What was spent in an hour of UTC, for whom and for what, less what was given back. It waits unsettled with the rest
-- that a debit changes, so that none writes to an index of its site's.
CREATE TABLE usage_hour (
    account_id TEXT    NOT NULL REFERENCES account (id),
    site       TEXT    NOT NULL,
    hour       INTEGER NOT NULL,
    agent      TEXT    NOT NULL, -- '': none was named
    action     TEXT    NOT NULL, -- '': none was named
    credits    INTEGER NOT NULL,
    PRIMARY KEY (account_id, site, hour, agent, action)
) STRICT, WITHOUT ROWID;

INSERT INTO usage_hour (account_id, site, hour, agent, action, credits)
    SELECT account_id, site, booked_at - booked_at % 3600000, COALESCE(agent, ''), COALESCE(action, ''),
           CAST(SUM(credits - reversed) AS BIGINT)
    FROM debit GROUP BY 1, 2, 3, 4, 5;

-- Where an account's debits of an hour begin and end: those between are found by following its entries.
CREATE TABLE spent_hour (
    account_id  TEXT    NOT NULL REFERENCES account (id),
    hour        INTEGER NOT NULL,
    first_entry INTEGER NOT NULL,
    last_entry  INTEGER NOT NULL,
    PRIMARY KEY (account_id, hour)
) STRICT, WITHOUT ROWID;

INSERT INTO spent_hour (account_id, hour, first_entry, last_entry)
    SELECT account_id, booked_at - booked_at % 3600000, MIN(first_entry), MAX(last_entry) FROM debit GROUP BY 1, 2;

DROP INDEX debit_site;

CREATE VIEW unsettled_usage AS
    SELECT a.id AS account_id, u.value ->> 0 AS site, CAST(u.value ->> 1 AS BIGINT) AS hour, u.value ->> 2 AS agent,
           u.value ->> 3 AS action, CAST(u.value ->> 4 AS BIGINT) AS credits
    FROM account a, json_each(a.unsettled, '$.used') u;
CREATE VIEW usage_now AS
    SELECT account_id, site, hour, agent, action, credits FROM usage_hour
    UNION ALL
    SELECT account_id, site, hour, agent, action, credits FROM unsettled_usage;
CREATE VIEW unsettled_spent AS
    SELECT a.id AS account_id, CAST(u.value ->> 0 AS BIGINT) AS hour, CAST(u.value ->> 1 AS BIGINT) AS first_entry,
           CAST(u.value ->> 2 AS BIGINT) AS last_entry
    FROM account a, json_each(a.unsettled, '$.hours') u;
CREATE VIEW spent_now AS
    SELECT account_id, hour, first_entry, last_entry FROM spent_hour
    UNION ALL
    SELECT account_id, hour, first_entry, last_entry FROM unsettled_spent;

-- Wallets seldom used ------------------------------------------------------------------------------

-- What is settled for an account lies together, in the order of its keys: to settle it writes few places of the file,
-- and a look at a wallet reads few.
CREATE TABLE spending_now (
    account_id   TEXT    NOT NULL REFERENCES account (id),
    site         TEXT    NOT NULL,
    agent        TEXT    NOT NULL, -- '' for the whole site
    per          TEXT    NOT NULL CHECK (per IN ('day', 'month')),
    period_start INTEGER NOT NULL,
    captured     INTEGER NOT NULL,
    PRIMARY KEY (account_id, site, agent, per, period_start)
) STRICT, WITHOUT ROWID;

INSERT INTO spending_now (account_id, site, agent, per, period_start, captured)
    SELECT account_id, site, agent, per, period_start, captured FROM spending
    ORDER BY account_id, site, agent, per, period_start;
DROP TABLE spending;
ALTER TABLE spending_now RENAME TO spending;

CREATE TABLE line (
    account_id TEXT    NOT NULL REFERENCES account (id),
    seq        INTEGER NOT NULL, -- its place: twice the number of the first entry it stands for (a move has two lines)
    at         INTEGER NOT NULL,
    hour       INTEGER NOT NULL, -- start of the UTC hour of `at`
    kind       TEXT    NOT NULL,
    site       TEXT    NOT NULL,
    label      TEXT    NOT NULL,
    credits    INTEGER NOT NULL, -- signed
    order_id   INTEGER,
    quantity   INTEGER,
    PRIMARY KEY (account_id, seq)
) STRICT, WITHOUT ROWID;

INSERT INTO line (account_id, seq, at, hour, kind, site, label, credits, order_id, quantity)
    SELECT account_id, seq, at, hour, kind, site, label, credits, order_id, quantity FROM activity
    ORDER BY account_id, seq;
DROP VIEW activity_now;
DROP TABLE activity;
ALTER TABLE line RENAME TO activity;

CREATE UNIQUE INDEX activity_usage ON activity (account_id, site, hour, label) WHERE kind = 'usage';
CREATE INDEX activity_site ON activity (account_id, site, seq);

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

-- Deliveries and orders ----------------------------------------------------------------------------

-- Nobody looked for deliveries by their state alone.
DROP INDEX delivery_state;

-- Most orders of most shops bring no credits, and have no account.
DROP INDEX shop_order_account;
CREATE INDEX shop_order_account ON shop_order (account_id) WHERE account_id IS NOT NULL;

-- The lines of an order lie together, in the order of their keys: one is written in one place.
CREATE TABLE order_line_now (
    store_id     INTEGER NOT NULL,
    order_id     INTEGER NOT NULL,
    line_id      INTEGER NOT NULL,
    product_id   INTEGER NOT NULL,
    variation_id INTEGER NOT NULL,
    sku          TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    is_tokens    INTEGER,          -- NULL: not known yet
    worth        TEXT,             -- JSON: credits per unit or rate, validity, category, label; NULL: not known yet
    target       INTEGER NOT NULL, -- credits it should have granted
    booked       INTEGER NOT NULL, -- credits it has granted, less what was taken back
    worth_from   TEXT,             -- who said so: promise, package TARGET or product ID; NULL: not remembered
    PRIMARY KEY (store_id, order_id, line_id),
    FOREIGN KEY (store_id, order_id) REFERENCES shop_order (store_id, order_id)
) STRICT, WITHOUT ROWID;

INSERT INTO order_line_now (store_id, order_id, line_id, product_id, variation_id, sku, name, is_tokens, worth, target,
                            booked, worth_from)
    SELECT store_id, order_id, line_id, product_id, variation_id, sku, name, is_tokens, worth, target, booked,
           worth_from
    FROM order_line ORDER BY store_id, order_id, line_id;
DROP TABLE order_line;
ALTER TABLE order_line_now RENAME TO order_line;
