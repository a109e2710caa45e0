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
