-- Spending in full.
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
