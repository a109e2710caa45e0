-- Spending: what is held for a while, what is limited, who hands what over.
-- Keep this file and its twin for PostgreSQL alike, statement for statement.

-- Holds and reversals ------------------------------------------------------------------------------

-- Limits, policies and the brake -------------------------------------------------------------------

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
