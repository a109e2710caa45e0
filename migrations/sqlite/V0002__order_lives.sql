-- The whole life of an order: what shops confirm, what people decide, accounts that merge; and rates.
-- Keep this file and its twin for PostgreSQL alike, statement for statement.

-- WooCommerce shops --------------------------------------------------------------------------------

-- The webhook secret before today's, still taken for a while, until an instant.
ALTER TABLE store ADD COLUMN previous_secret TEXT;
ALTER TABLE store ADD COLUMN previous_until INTEGER
    CHECK ((previous_secret IS NULL) = (previous_until IS NULL));

-- What is known of how a store's webhooks fare.
CREATE TABLE store_health (
    store_id       INTEGER PRIMARY KEY REFERENCES store (id),
    refused_at     INTEGER,          -- the last delivery that was signed with another secret
    refused_count  INTEGER NOT NULL, -- how many there were
    error_at       INTEGER,          -- the last signed error object
    error_code     TEXT,
    secret_at      INTEGER,          -- what was refused before says nothing of today's secret
    secret_in_shop INTEGER NOT NULL, -- this program set today's secret in the shop's webhooks
    heard_at       INTEGER,          -- the last delivery with a right signature, a repeat too; by the minute
    secret_heard_at INTEGER,         -- the last one that was signed with today's secret
    checked_at     INTEGER,          -- when the shop was last asked
    findings       TEXT              -- JSON list of what that showed
) STRICT;

-- Stores of which something was learned: their parked orders after this one are to be tried again.
CREATE TABLE parked_retry (
    store_id    INTEGER PRIMARY KEY REFERENCES store (id),
    after_order INTEGER NOT NULL
) STRICT;

-- When it was last tried.
ALTER TABLE lookup ADD COLUMN asked_at INTEGER;

-- How far each store was compared with its shop.
CREATE TABLE reconciliation (
    store_id    INTEGER PRIMARY KEY REFERENCES store (id),
    sweep       INTEGER NOT NULL, -- number of the newest sweep
    due_at      INTEGER NOT NULL, -- when the daemon sweeps next; 0: it was asked to, at once
    holder      TEXT,             -- who sweeps now
    held_until  INTEGER,          -- and until when without a sign of life
    progress    TEXT,             -- JSON of the sweep that goes on or was cut off
    failures    INTEGER NOT NULL, -- in a row
    last_error  TEXT,
    covered_to  INTEGER,          -- what changed before this was read
    wide_at     INTEGER,          -- start of the last sweep over as many days as are read every night
    finished_at INTEGER,          -- end of the last sweep that came to its end
    result      TEXT              -- JSON of what that found
) STRICT;

-- Customers ----------------------------------------------------------------------------------------

-- The account it is part of now; when its names and addresses were removed.
ALTER TABLE account ADD COLUMN merged_into TEXT REFERENCES account (id);
ALTER TABLE account ADD COLUMN erased_at INTEGER;

-- When the name came from another account, which was merged into this one.
ALTER TABLE customer ADD COLUMN merged_at INTEGER;

CREATE INDEX account_merged ON account (merged_into) WHERE merged_into IS NOT NULL;

-- What the daemon signs with, by purpose; made when it is first needed and never shown.
CREATE TABLE signing_secret (
    purpose    TEXT    PRIMARY KEY,
    secret     BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Deliveries and orders ----------------------------------------------------------------------------

CREATE INDEX delivery_store ON delivery (store_id, seq);

-- When the shop was asked and showed this state; NULL: a delivery carried it. Until now only whether, so the
-- instant is that of the answer.
ALTER TABLE shop_order ADD COLUMN confirmed_at INTEGER;
UPDATE shop_order SET confirmed_at = applied_at WHERE from_rest = 1;
ALTER TABLE shop_order DROP COLUMN from_rest;

-- Number of the newest sweep that the shop showed it to, and of the newest that wrote anything for it.
ALTER TABLE shop_order ADD COLUMN listed_in INTEGER;
ALTER TABLE shop_order ADD COLUMN repaired_in INTEGER;

-- Where a person sent its credits: a site, or '' for the pool, NULL: where the order says; and when. When a
-- person chose account_id, NULL: the order names its buyer.
ALTER TABLE shop_order ADD COLUMN assigned_site TEXT;
ALTER TABLE shop_order ADD COLUMN site_assigned_at INTEGER;
ALTER TABLE shop_order ADD COLUMN account_assigned_at INTEGER;

-- When its buyer's name and address were removed; they do not come back.
ALTER TABLE shop_order ADD COLUMN erased_at INTEGER;

CREATE INDEX shop_order_modified ON shop_order (store_id, modified_at, order_id);
CREATE INDEX shop_order_recheck ON shop_order (store_id, order_id) WHERE recheck = 1;
CREATE INDEX shop_order_repaired ON shop_order (store_id, repaired_in) WHERE repaired_in IS NOT NULL;

-- Who said what a line is worth: promise, package TARGET or product ID; NULL: not remembered.
ALTER TABLE order_line ADD COLUMN worth_from TEXT;

-- The ledger ---------------------------------------------------------------------------------------

-- What became of a grant, without what was used of it: that stands with the grant, and is most of all entries.
CREATE INDEX entry_grant ON entry (grant_id) WHERE kind <> 'spent';

-- What an action costs, from when. A version is never changed.
CREATE TABLE rate (
    action       TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    credits      INTEGER NOT NULL CHECK (credits > 0), -- for one unit, in thousandths of a micro-credit
    per          TEXT,
    round        TEXT    NOT NULL CHECK (round IN ('up', 'down', 'half_up')),
    label        TEXT,
    effective_at INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (action, version)
) STRICT;

CREATE INDEX rate_effective ON rate (action, effective_at, version);

-- How much of the action, NULL when the debit named its credits, and the version of its rate.
ALTER TABLE debit ADD COLUMN quantity INTEGER;
ALTER TABLE debit ADD COLUMN rate INTEGER;

-- What {quantity} in the label stands for.
ALTER TABLE activity ADD COLUMN quantity INTEGER;
