-- The plugin: what shops and customers are told, and how a shop pairs with the daemon.
-- Keep this file and its twin for SQLite alike, statement for statement.

-- Events -------------------------------------------------------------------------------------------

-- How each compartment stands to the alert levels, once it has held credits. Where nothing is said of a level it can
-- be crossed; since: it was, and is not armed again; owed: somebody is still to be told; told_at: when they were last.
CREATE TABLE alert (
    account_id       TEXT    NOT NULL REFERENCES account (id),
    site             TEXT    NOT NULL, -- '' is the pool
    status           TEXT    NOT NULL CHECK (status IN ('ok', 'low', 'critical', 'empty')),
    due_at           BIGINT,           -- when somebody is to be told of it, if that is still too soon
    low_since        BIGINT,
    low_owed         BIGINT  NOT NULL,
    low_told_at      BIGINT,
    critical_since   BIGINT,
    critical_owed    BIGINT  NOT NULL,
    critical_told_at BIGINT,
    empty_since      BIGINT,
    empty_owed       BIGINT  NOT NULL,
    empty_told_at    BIGINT,
    PRIMARY KEY (account_id, site)
);

CREATE INDEX alert_due ON alert (due_at) WHERE due_at IS NOT NULL;

-- Whoever holds credits already can run low of them.
INSERT INTO alert (account_id, site, status, low_owed, critical_owed, empty_owed)
    SELECT DISTINCT s.account_id, s.site, 'ok', 0, 0, 0 FROM slice s WHERE s.remaining > 0;

-- Events are numbered in the order in which they are committed: whoever writes one has this row until then. So who has
-- read up to a number has missed none before it.
CREATE TABLE event_number (
    one  BIGINT PRIMARY KEY CHECK (one = 1),
    last BIGINT  NOT NULL
);

INSERT INTO event_number (one, last) VALUES (1, 0);

-- What happened that somebody outside wants to know, written with what caused it.
CREATE TABLE event (
    seq        BIGINT PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    type       TEXT    NOT NULL,
    at         BIGINT  NOT NULL,
    account_id TEXT    NOT NULL REFERENCES account (id),
    site       TEXT    NOT NULL, -- '' is the pool
    level      TEXT    NOT NULL, -- as it was configured
    available  BIGINT  NOT NULL
);

CREATE INDEX event_account ON event (account_id, seq);
CREATE INDEX event_type ON event (type, seq);

-- Stores that want to be told of events: where, and what that is signed with.
CREATE TABLE store_events (
    store_id BIGINT PRIMARY KEY REFERENCES store (id),
    url      TEXT    NOT NULL,
    secret   TEXT    NOT NULL  -- whsec_ and base64 of 32 random bytes, as Standard Webhooks has it
);

-- Events on their way to a store.
CREATE TABLE event_push (
    store_id   BIGINT  NOT NULL REFERENCES store (id),
    account_id TEXT    NOT NULL,
    seq        BIGINT  NOT NULL REFERENCES event (seq),
    attempts   BIGINT  NOT NULL,
    due_at     BIGINT  NOT NULL,
    PRIMARY KEY (store_id, account_id, seq)
);

CREATE INDEX event_push_due ON event_push (due_at);
CREATE INDEX event_push_seq ON event_push (seq);

-- How a store takes its events.
CREATE TABLE event_receiver (
    store_id     BIGINT PRIMARY KEY REFERENCES store (id),
    taken_at     BIGINT,           -- when it took one last
    failed_at    BIGINT,           -- when it did not, since then
    failure      TEXT,             -- why not
    given_up     BIGINT  NOT NULL, -- how many it never took
    given_up_at  BIGINT
);

-- Accounts that nobody touches: what expires in them is booked by the worker.
CREATE INDEX account_expiry ON account (next_expiry) WHERE next_expiry IS NOT NULL;

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
