-- Faster: what a delivery, a debit and a feed need not write and need not read.
-- Keep this file and its twin for PostgreSQL alike, statement for statement.

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
