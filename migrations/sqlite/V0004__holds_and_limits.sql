-- Spending: what is held for a while, what is limited, who hands what over.
-- Keep this file and its twin for PostgreSQL alike, statement for statement.

-- Holds and reversals ------------------------------------------------------------------------------

-- Credits set aside for a moment.
CREATE TABLE hold (
    id         TEXT    PRIMARY KEY,
    account_id TEXT    NOT NULL REFERENCES account (id),
    site       TEXT    NOT NULL,
    agent      TEXT,
    action     TEXT,
    quantity   INTEGER,
    rate       INTEGER,          -- version of the action's rate that a capture is priced by
    label      TEXT    NOT NULL,
    credits    INTEGER NOT NULL CHECK (credits > 0),
    uncovered  INTEGER NOT NULL CHECK (uncovered >= 0 AND uncovered <= credits), -- what no slice covers
    captured   INTEGER NOT NULL CHECK (captured >= 0 AND captured <= credits),
    state      TEXT    NOT NULL CHECK (state IN ('open', 'captured', 'released', 'expired')),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL, -- from then on it is expired, written or not
    closed_at  INTEGER,
    debit_id   TEXT    REFERENCES debit (id),
    reference  TEXT,
    CHECK ((state = 'open') = (closed_at IS NULL)),
    CHECK ((state = 'captured') = (debit_id IS NOT NULL)),
    CHECK ((state = 'captured') = (captured > 0))
) STRICT;

CREATE INDEX hold_open ON hold (account_id, expires_at) WHERE state = 'open';
CREATE INDEX hold_due ON hold (expires_at, account_id) WHERE state = 'open';
CREATE INDEX hold_account ON hold (account_id, id);
CREATE INDEX hold_uncovered ON hold (account_id) WHERE uncovered > 0;

-- What a hold took, in burn-down order.
CREATE TABLE hold_slice (
    hold_id  TEXT    NOT NULL REFERENCES hold (id),
    position INTEGER NOT NULL,
    grant_id TEXT    NOT NULL REFERENCES credit_grant (id),
    site     TEXT    NOT NULL, -- '' for the pool
    credits  INTEGER NOT NULL CHECK (credits > 0),
    PRIMARY KEY (hold_id, position)
) STRICT;

-- What the open holds of a site, and of each of its assistants, come to.
CREATE TABLE holding (
    account_id TEXT    NOT NULL REFERENCES account (id),
    site       TEXT    NOT NULL,
    agent      TEXT    NOT NULL, -- '' for the whole site
    held       INTEGER NOT NULL CHECK (held >= 0),
    PRIMARY KEY (account_id, site, agent)
) STRICT;

-- No open hold of the account expires before this; NULL: there is none.
ALTER TABLE account ADD COLUMN next_release INTEGER;

-- The hold that a debit captured.
ALTER TABLE debit ADD COLUMN hold_id TEXT REFERENCES hold (id);

-- The local day that a debit was counted on, from 1 January of year 1; NULL: one of an earlier version.
ALTER TABLE debit ADD COLUMN counted_day INTEGER;

-- A debit that was undone, once.
CREATE TABLE reversal (
    id        TEXT    PRIMARY KEY,
    debit_id  TEXT    NOT NULL UNIQUE REFERENCES debit (id),
    credits   INTEGER NOT NULL CHECK (credits > 0),
    reason    TEXT,
    booked_at INTEGER NOT NULL
) STRICT;

-- What is to be taken back of held credits because their money went back, as soon as they come back.
CREATE TABLE claw_due (
    account_id TEXT    NOT NULL REFERENCES account (id),
    grant_id   TEXT    NOT NULL REFERENCES credit_grant (id),
    operation  TEXT    NOT NULL, -- what brought the news, as in entry
    amount     INTEGER NOT NULL CHECK (amount > 0),
    shortfall  TEXT    NOT NULL CHECK (shortfall IN ('debt', 'write_off', 'freeze')),
    home       TEXT    NOT NULL, -- the compartment that will owe what is captured
    label      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, grant_id, operation)
) STRICT;
CREATE INDEX claw_due_grant ON claw_due (grant_id);

-- Limits, policies and the brake -------------------------------------------------------------------

-- What a site or one of its assistants may spend in a period of the calendar. No row: no limit.
CREATE TABLE spending_limit (
    account_id TEXT    NOT NULL REFERENCES account (id),
    site       TEXT    NOT NULL,
    agent      TEXT    NOT NULL, -- '' for the whole site
    per        TEXT    NOT NULL CHECK (per IN ('day', 'month')),
    credits    INTEGER NOT NULL CHECK (credits >= 0),
    on_reached TEXT    NOT NULL CHECK (on_reached IN ('stop', 'use_balance')),
    PRIMARY KEY (account_id, site, agent, per)
) STRICT;

-- What a site or one of its assistants may spend from. NULL: as the site; for the site itself the default. Whether
-- the site itself uses the pool is told by its own row.
CREATE TABLE spending_policy (
    account_id   TEXT    NOT NULL REFERENCES account (id),
    site         TEXT    NOT NULL,
    agent        TEXT    NOT NULL, -- '' for the whole site
    on_exhausted TEXT    CHECK (on_exhausted IN ('stop', 'use_balance')),
    pool         INTEGER CHECK (pool IN (0, 1)),
    grace        INTEGER CHECK (grace >= 0),
    PRIMARY KEY (account_id, site, agent),
    CHECK (agent <> '' OR pool IS NULL)
) STRICT;

-- What was captured in an hour of UTC, per site; forgotten after 28 days.
CREATE TABLE spending_hour (
    account_id TEXT    NOT NULL REFERENCES account (id),
    site       TEXT    NOT NULL,
    hour       INTEGER NOT NULL,
    captured   INTEGER NOT NULL,
    PRIMARY KEY (account_id, site, hour)
) STRICT;

CREATE INDEX spending_hour_hour ON spending_hour (hour);

-- The brake of a site.
CREATE TABLE brake (
    account_id    TEXT    NOT NULL REFERENCES account (id),
    site          TEXT    NOT NULL,
    paused_at     INTEGER, -- NULL: it is not on
    reason        TEXT,
    hour          INTEGER, -- what follows is of this hour
    typical       INTEGER, -- the median of the hours before; NULL: too few days to tell
    forgiven_hour INTEGER, -- in this hour as much was spent before a person resumed the site
    forgiven      INTEGER NOT NULL,
    PRIMARY KEY (account_id, site),
    CHECK ((paused_at IS NULL) = (reason IS NULL))
) STRICT;

-- The first version counted months only: what no day has counts on the first day of the first month.
INSERT INTO spending (account_id, site, agent, per, period_start, captured)
    SELECT m.account_id, m.site, '', 'day', MIN(m.period_start),
           CAST(SUM(m.captured)
                - COALESCE((SELECT SUM(d.captured) FROM spending d WHERE d.account_id = m.account_id
                            AND d.site = m.site AND d.agent = '' AND d.per = 'day'), 0) AS BIGINT)
    FROM spending m WHERE m.per = 'month' AND m.agent = ''
    GROUP BY m.account_id, m.site
    HAVING SUM(m.captured) <> COALESCE((SELECT SUM(d.captured) FROM spending d WHERE d.account_id = m.account_id
                                        AND d.site = m.site AND d.agent = '' AND d.per = 'day'), 0)
    ON CONFLICT (account_id, site, agent, per, period_start)
    DO UPDATE SET captured = spending.captured + excluded.captured;

-- Assistants were not counted before: each debit counts in the period of its site that it lies in.
INSERT INTO spending (account_id, site, agent, per, period_start, captured)
    SELECT c.account_id, c.site, c.agent, c.per, c.period_start, CAST(SUM(c.credits) AS BIGINT)
    FROM (SELECT COALESCE(a.merged_into, a.id) AS account_id, d.site, d.agent, p.per, d.credits - d.reversed AS credits,
                 COALESCE((SELECT MAX(s.period_start) FROM spending s
                           WHERE s.account_id = COALESCE(a.merged_into, a.id) AND s.site = d.site AND s.agent = ''
                             AND s.per = p.per AND s.period_start <= d.booked_at),
                          (SELECT MIN(s.period_start) FROM spending s
                           WHERE s.account_id = COALESCE(a.merged_into, a.id) AND s.site = d.site AND s.agent = ''
                             AND s.per = p.per)) AS period_start
          FROM debit d JOIN account a ON a.id = d.account_id
          CROSS JOIN (SELECT 'day' AS per UNION ALL SELECT 'month') p
          WHERE d.agent IS NOT NULL) c
    WHERE c.period_start IS NOT NULL
    GROUP BY c.account_id, c.site, c.agent, c.per, c.period_start;

INSERT INTO spending_hour (account_id, site, hour, captured)
    SELECT COALESCE(a.merged_into, a.id), d.site, d.booked_at - d.booked_at % 3600000,
           CAST(SUM(d.credits - d.reversed) AS BIGINT)
    FROM debit d JOIN account a ON a.id = d.account_id
    WHERE d.booked_at > (SELECT MAX(n.booked_at) FROM debit n) - 2419200000
    GROUP BY COALESCE(a.merged_into, a.id), d.site, d.booked_at - d.booked_at % 3600000;

-- Sites and keys -----------------------------------------------------------------------------------

-- A site that its owner offers to another account. No row is left of one that was accepted or withdrawn.
CREATE TABLE site_offer (
    site         TEXT    PRIMARY KEY REFERENCES site (id),
    from_account TEXT    NOT NULL REFERENCES account (id),
    to_account   TEXT    NOT NULL REFERENCES account (id),
    offered_at   INTEGER NOT NULL,
    ends_at      INTEGER NOT NULL, -- from then on nobody can accept it
    CHECK (from_account <> to_account)
) STRICT;

-- Sites that were handed over.
CREATE TABLE site_transfer (
    id           INTEGER PRIMARY KEY,
    site         TEXT    NOT NULL REFERENCES site (id),
    from_account TEXT    NOT NULL REFERENCES account (id),
    to_account   TEXT    NOT NULL REFERENCES account (id),
    at           INTEGER NOT NULL
) STRICT;

CREATE INDEX site_transfer_from ON site_transfer (site, from_account);

-- The secret before today's, still taken until an instant; when the key was last used, by the hour.
ALTER TABLE api_key ADD COLUMN previous_hash BLOB;
ALTER TABLE api_key ADD COLUMN previous_until INTEGER
    CHECK ((previous_hash IS NULL) = (previous_until IS NULL));
ALTER TABLE api_key ADD COLUMN rotated_at INTEGER;
ALTER TABLE api_key ADD COLUMN used_at INTEGER;

CREATE UNIQUE INDEX api_key_previous ON api_key (previous_hash) WHERE previous_hash IS NOT NULL;

-- Websites that asked with a site's key: the one it is good for, copies of it, where it was before, and others that
-- were refused.
CREATE TABLE key_origin (
    key_id  TEXT    NOT NULL REFERENCES api_key (id),
    origin  TEXT    NOT NULL, -- host, port and path: what stays the same when the scheme changes
    url     TEXT    NOT NULL, -- as it was first said
    state   TEXT    NOT NULL CHECK (state IN ('bound', 'copy', 'moved', 'refused')),
    seen_at INTEGER NOT NULL, -- since when it is so
    PRIMARY KEY (key_id, origin)
) STRICT;

CREATE UNIQUE INDEX key_origin_bound ON key_origin (key_id) WHERE state = 'bound';
