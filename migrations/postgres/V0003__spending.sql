-- Spending: what comes again, what is set aside, what is limited.
-- Keep this file and its twin for SQLite alike, statement for statement.

-- By hand ------------------------------------------------------------------------------------------

-- Why a grant was withdrawn.
ALTER TABLE credit_grant ADD COLUMN void_reason TEXT;

-- When a grant began to wait for a decision about its order, and when it ceased to: balances of the past are
-- told by it. What waits already is taken to have waited from the start.
CREATE TABLE grant_freeze (
    grant_id TEXT    NOT NULL REFERENCES credit_grant (id),
    at       BIGINT  NOT NULL,
    frozen   BIGINT  NOT NULL,
    PRIMARY KEY (grant_id, at)
);
INSERT INTO grant_freeze (grant_id, at, frozen)
    SELECT id, granted_at, 1 FROM credit_grant WHERE frozen = 1;

-- Plans and account settings -----------------------------------------------------------------------

-- What a plan brings each period. A version is never changed; a period takes the one in force at its start.
CREATE TABLE plan (
    name       TEXT    NOT NULL,
    version    BIGINT NOT NULL,
    credits    BIGINT NOT NULL CHECK (credits > 0),
    per        TEXT    NOT NULL CHECK (per IN ('day', 'week', 'month', 'year')),
    rollover   BIGINT NOT NULL CHECK (rollover >= 0),
    label      TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (name, version)
);

-- Which compartment has or had which plan.
CREATE TABLE subscription (
    plan         TEXT    NOT NULL,
    account_id   TEXT    NOT NULL REFERENCES account (id),
    site         TEXT    NOT NULL, -- '' for the pool
    started_at   BIGINT NOT NULL,
    stopped_at   BIGINT,          -- NULL: it goes on
    due_at       BIGINT NOT NULL, -- when the next period begins
    counted_from BIGINT NOT NULL, -- the same day in the account's time zone of today
    credits      BIGINT,          -- what the newest period brought
    per          TEXT,
    PRIMARY KEY (account_id, plan, site),
    CHECK ((credits IS NULL) = (per IS NULL))
);

CREATE INDEX subscription_due ON subscription (due_at, account_id) WHERE stopped_at IS NULL;
CREATE INDEX subscription_plan ON subscription (plan);

-- What each period of a plan granted: once, and once more for what was carried over.
CREATE TABLE plan_grant (
    plan         TEXT    NOT NULL,
    account_id   TEXT    NOT NULL REFERENCES account (id),
    site         TEXT    NOT NULL,
    period_start BIGINT NOT NULL,
    carried_over BIGINT NOT NULL CHECK (carried_over IN (0, 1)),
    grant_id     TEXT    NOT NULL UNIQUE REFERENCES credit_grant (id),
    PRIMARY KEY (account_id, plan, site, period_start, carried_over)
);

-- No plan of the account brings anything before this; NULL: none does.
ALTER TABLE account ADD COLUMN next_renewal BIGINT;

-- When a person gave it its name; orders do not change it any more.
ALTER TABLE account ADD COLUMN named_at BIGINT;
