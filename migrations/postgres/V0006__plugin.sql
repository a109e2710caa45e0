-- The plugin, whole: shops that pair by themselves, and what the plugin shows and is told.
-- Keep this file and its twin for SQLite alike, statement for statement.

-- Pairing ------------------------------------------------------------------------------------------

-- What a shop may be paired with, once: one code for each store, which need not be there yet.
CREATE TABLE pairing_code (
    store      TEXT    PRIMARY KEY, -- the store's name
    hash       BYTEA   NOT NULL,    -- SHA-256: the code itself has 256 random bits
    address    TEXT    NOT NULL,    -- where the shop reaches this program
    url        TEXT,                -- the shop it is for; NULL: whichever uses it
    expires_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX pairing_code_hash ON pairing_code (hash);

-- Stores whose shop was paired, and what was exchanged.
CREATE TABLE pairing (
    store_id     BIGINT PRIMARY KEY REFERENCES store (id),
    key_id       TEXT    NOT NULL, -- the API key that the shop asks with
    consumer_key TEXT,             -- the REST key that the shop brought; NULL: none
    paired_at    BIGINT NOT NULL
);

CREATE UNIQUE INDEX pairing_key ON pairing (key_id);

-- Stores that want to be told of events: where, and what that is signed with.
CREATE TABLE store_events (
    store_id BIGINT PRIMARY KEY REFERENCES store (id),
    url      TEXT    NOT NULL,
    secret   TEXT    NOT NULL  -- whsec_ and base64 of 32 random bytes, as Standard Webhooks has it
);

-- Accounts -----------------------------------------------------------------------------------------

-- Since when it is frozen; NULL: it is not, or it was before this was written down.
ALTER TABLE account ADD COLUMN frozen_at BIGINT;

-- What the shop's plugin tells by the way --------------------------------------------------------------

-- For how long and as what a product sells credits, as its own fields say: JSON; NULL where they say nothing.
ALTER TABLE product ADD COLUMN terms TEXT;

-- When something was last told of by the way, by the shop's own clock: what was told before that is old news.
CREATE TABLE told (
    store_id   BIGINT  NOT NULL REFERENCES store (id),
    kind       TEXT    NOT NULL CHECK (kind IN ('product', 'category')),
    subject_id BIGINT  NOT NULL,
    told_at    BIGINT  NOT NULL, -- microseconds since 1970
    PRIMARY KEY (store_id, kind, subject_id)
);
