-- Faster: what a delivery, a debit and a feed need not write and need not read.
-- Keep this file and its twin for SQLite alike, statement for statement.

-- Debits -------------------------------------------------------------------------------------------

-- What was spent in an hour of UTC, for whom and for what, less what was given back. It waits unsettled with the rest
-- that a debit changes, so that none writes to an index of its site's.
CREATE TABLE usage_hour (
    account_id TEXT   NOT NULL REFERENCES account (id),
    site       TEXT   NOT NULL,
    hour       BIGINT NOT NULL,
    agent      TEXT   NOT NULL, -- '': none was named
    action     TEXT   NOT NULL, -- '': none was named
    credits    BIGINT NOT NULL,
    PRIMARY KEY (account_id, site, hour, agent, action)
);

INSERT INTO usage_hour (account_id, site, hour, agent, action, credits)
    SELECT account_id, site, booked_at - booked_at % 3600000, COALESCE(agent, ''), COALESCE(action, ''),
           CAST(SUM(credits - reversed) AS BIGINT)
    FROM debit GROUP BY 1, 2, 3, 4, 5;

-- Where an account's debits of an hour begin and end: those between are found by following its entries.
CREATE TABLE spent_hour (
    account_id  TEXT   NOT NULL REFERENCES account (id),
    hour        BIGINT NOT NULL,
    first_entry BIGINT NOT NULL,
    last_entry  BIGINT NOT NULL,
    PRIMARY KEY (account_id, hour)
);

INSERT INTO spent_hour (account_id, hour, first_entry, last_entry)
    SELECT account_id, booked_at - booked_at % 3600000, MIN(first_entry), MAX(last_entry) FROM debit GROUP BY 1, 2;

DROP INDEX debit_site;

CREATE VIEW unsettled_usage AS
    SELECT a.id AS account_id, u.value ->> 0 AS site, CAST(u.value ->> 1 AS BIGINT) AS hour, u.value ->> 2 AS agent,
           u.value ->> 3 AS action, CAST(u.value ->> 4 AS BIGINT) AS credits
    FROM account a, jsonb_array_elements(CAST(a.unsettled AS JSONB) -> 'used') u;
CREATE VIEW usage_now AS
    SELECT account_id, site, hour, agent, action, credits FROM usage_hour
    UNION ALL
    SELECT account_id, site, hour, agent, action, credits FROM unsettled_usage;
CREATE VIEW unsettled_spent AS
    SELECT a.id AS account_id, CAST(u.value ->> 0 AS BIGINT) AS hour, CAST(u.value ->> 1 AS BIGINT) AS first_entry,
           CAST(u.value ->> 2 AS BIGINT) AS last_entry
    FROM account a, jsonb_array_elements(CAST(a.unsettled AS JSONB) -> 'hours') u;
CREATE VIEW spent_now AS
    SELECT account_id, hour, first_entry, last_entry FROM spent_hour
    UNION ALL
    SELECT account_id, hour, first_entry, last_entry FROM unsettled_spent;
