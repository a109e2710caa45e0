-- Spending: what is held for a while, what is limited, who hands what over.
-- Keep this file and its twin for SQLite alike, statement for statement.

-- Holds and reversals ------------------------------------------------------------------------------

-- Credits set aside for a moment.
CREATE TABLE hold (
    id         TEXT    PRIMARY KEY,
    account_id TEXT    NOT NULL REFERENCES account (id),
    site       TEXT    NOT NULL,
    agent      TEXT,
    action     TEXT,
    quantity   BIGINT,
    rate       BIGINT,          -- version of the action's rate that a capture is priced by
    label      TEXT    NOT NULL,
    credits    BIGINT NOT NULL CHECK (credits > 0),
    uncovered  BIGINT NOT NULL CHECK (uncovered >= 0 AND uncovered <= credits), -- what no slice covers
    captured   BIGINT NOT NULL CHECK (captured >= 0 AND captured <= credits),
    state      TEXT    NOT NULL CHECK (state IN ('open', 'captured', 'released', 'expired')),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL, -- from then on it is expired, written or not
    closed_at  BIGINT,
    debit_id   TEXT    REFERENCES debit (id),
    CHECK ((state = 'open') = (closed_at IS NULL)),
    CHECK ((state = 'captured') = (debit_id IS NOT NULL)),
    CHECK ((state = 'captured') = (captured > 0))
);

CREATE INDEX hold_open ON hold (account_id, expires_at) WHERE state = 'open';
CREATE INDEX hold_due ON hold (expires_at, account_id) WHERE state = 'open';
CREATE INDEX hold_account ON hold (account_id, id);

-- What a hold took, in burn-down order.
CREATE TABLE hold_slice (
    hold_id  TEXT    NOT NULL REFERENCES hold (id),
    position BIGINT NOT NULL,
    grant_id TEXT    NOT NULL REFERENCES credit_grant (id),
    site     TEXT    NOT NULL, -- '' for the pool
    credits  BIGINT NOT NULL CHECK (credits > 0),
    PRIMARY KEY (hold_id, position)
);

-- What the open holds of a site, and of each of its assistants, come to.
CREATE TABLE holding (
    account_id TEXT    NOT NULL REFERENCES account (id),
    site       TEXT    NOT NULL,
    agent      TEXT    NOT NULL, -- '' for the whole site
    held       BIGINT NOT NULL CHECK (held >= 0),
    PRIMARY KEY (account_id, site, agent)
);

-- No open hold of the account expires before this; NULL: there is none.
ALTER TABLE account ADD COLUMN next_release BIGINT;

-- The hold that a debit captured.
ALTER TABLE debit ADD COLUMN hold_id TEXT REFERENCES hold (id);

-- A debit that was undone, once.
CREATE TABLE reversal (
    id        TEXT    PRIMARY KEY,
    debit_id  TEXT    NOT NULL UNIQUE REFERENCES debit (id),
    credits   BIGINT NOT NULL CHECK (credits > 0),
    reason    TEXT,
    booked_at BIGINT NOT NULL
);

-- What is to be taken back of held credits because their money went back, as soon as they come back.
CREATE TABLE claw_due (
    account_id TEXT    NOT NULL REFERENCES account (id),
    grant_id   TEXT    NOT NULL REFERENCES credit_grant (id),
    operation  TEXT    NOT NULL, -- what brought the news, as in entry
    amount     BIGINT NOT NULL CHECK (amount > 0),
    shortfall  TEXT    NOT NULL CHECK (shortfall IN ('debt', 'write_off', 'freeze')),
    home       TEXT    NOT NULL, -- the compartment that will owe what is captured
    label      TEXT    NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, grant_id, operation)
);
CREATE INDEX claw_due_grant ON claw_due (grant_id);

-- Limits, policies and the brake -------------------------------------------------------------------

-- Sites and keys -----------------------------------------------------------------------------------

