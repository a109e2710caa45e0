-- Times are milliseconds since 1970 UTC, amounts are micro-credits, flags are 0 or 1.
-- The pool of an account is the compartment whose site is ''.
-- Keep this file and its twin for PostgreSQL alike, statement for statement.

-- WooCommerce shops --------------------------------------------------------------------------------

CREATE TABLE store (
    id                INTEGER PRIMARY KEY,
    name              TEXT    NOT NULL UNIQUE,
    url               TEXT    NOT NULL,
    webhook_secret    TEXT    NOT NULL,
    consumer_key      TEXT,
    consumer_secret   TEXT,
    ca_file           TEXT,
    tokens_categories TEXT    NOT NULL, -- JSON list of slugs
    paid_statuses     TEXT    NOT NULL, -- JSON list
    site_keys         TEXT    NOT NULL, -- JSON list of meta keys, first match wins
    created_at        INTEGER NOT NULL,
    CHECK (webhook_secret <> ''),
    CHECK ((consumer_key IS NULL) = (consumer_secret IS NULL))
) STRICT;

CREATE TABLE category (
    store_id    INTEGER NOT NULL REFERENCES store (id),
    category_id INTEGER NOT NULL,
    parent_id   INTEGER,          -- 0: a root; NULL: not known, only its slug was seen
    slug        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    PRIMARY KEY (store_id, category_id)
) STRICT;

CREATE TABLE product (
    store_id     INTEGER NOT NULL REFERENCES store (id),
    product_id   INTEGER NOT NULL, -- a variation has a row of its own
    parent_id    INTEGER NOT NULL, -- 0 unless a variation
    name         TEXT    NOT NULL,
    sku          TEXT    NOT NULL, -- '' when it has none
    permalink    TEXT    NOT NULL,
    price_html   TEXT    NOT NULL,
    on_sale_now  INTEGER NOT NULL, -- published and purchasable
    credits      INTEGER,          -- product meta _nivella_credits
    categories   TEXT,             -- JSON list of category ids; NULL: ask the parent
    modified_at  INTEGER NOT NULL,
    PRIMARY KEY (store_id, product_id)
) STRICT;

CREATE INDEX product_parent ON product (store_id, parent_id) WHERE parent_id > 0;
CREATE INDEX product_sku ON product (store_id, sku) WHERE sku <> '';
CREATE INDEX product_credits ON product (store_id) WHERE credits IS NOT NULL;

CREATE TABLE package (
    id          INTEGER PRIMARY KEY,
    store_id    INTEGER NOT NULL REFERENCES store (id),
    target      TEXT    NOT NULL, -- product:ID, variation:ID or sku:TEXT
    credits     INTEGER,
    rate        INTEGER,          -- micro-credits for one unit of currency
    validity    TEXT    NOT NULL,
    category    TEXT    NOT NULL CHECK (category IN ('paid', 'bonus', 'recurring')),
    label       TEXT,
    UNIQUE (store_id, target),
    CHECK ((credits IS NULL) <> (rate IS NULL)),
    CHECK (credits > 0),
    CHECK (rate > 0)
) STRICT;

-- Things to ask a shop about, by whoever needs the answer.
CREATE TABLE lookup (
    store_id   INTEGER NOT NULL REFERENCES store (id),
    kind       TEXT    NOT NULL CHECK (kind IN ('product', 'categories', 'order')),
    subject_id INTEGER NOT NULL, -- product or order id; 0 for all categories
    reason     TEXT    NOT NULL,
    due_at     INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    last_error TEXT,
    PRIMARY KEY (store_id, kind, subject_id)
) STRICT;

CREATE INDEX lookup_due ON lookup (due_at);

-- Customers and their sites ------------------------------------------------------------------------

CREATE TABLE account (
    id            TEXT    PRIMARY KEY,
    name          TEXT    NOT NULL,
    time_zone     TEXT    NOT NULL,
    default_site  TEXT,
    frozen_reason TEXT,
    created_at    INTEGER NOT NULL,
    version       INTEGER NOT NULL, -- counts locks: locking is an update of this row
    grant_seq     INTEGER NOT NULL, -- number of the newest grant
    entry_seq     INTEGER NOT NULL, -- number of the newest entry
    entry_hash    BLOB    NOT NULL,  -- its hash
    next_expiry   INTEGER           -- no slice expires before this; NULL: none expires
) STRICT;

-- The names shops know an account by: customer:ID or email:ADDRESS.
CREATE TABLE customer (
    store_id   INTEGER NOT NULL REFERENCES store (id),
    natural_key TEXT    NOT NULL,
    account_id TEXT    NOT NULL REFERENCES account (id),
    PRIMARY KEY (store_id, natural_key)
) STRICT;

CREATE INDEX customer_account ON customer (account_id);

CREATE TABLE site (
    id            TEXT    PRIMARY KEY,
    account_id    TEXT    REFERENCES account (id),
    client        TEXT,
    label         TEXT,
    uses_pool     INTEGER NOT NULL,
    from_store    INTEGER,          -- the order that registered it, if one did
    from_order    INTEGER,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX site_account ON site (account_id);

-- Deliveries and orders ----------------------------------------------------------------------------

CREATE TABLE delivery (
    seq             INTEGER PRIMARY KEY,
    id              TEXT    NOT NULL UNIQUE,
    store_id        INTEGER NOT NULL REFERENCES store (id),
    topic           TEXT    NOT NULL,
    webhook_id      TEXT    NOT NULL,
    woo_delivery_id TEXT    NOT NULL, -- not unique: a hash of webhook and second
    digest          BLOB    NOT NULL, -- SHA-256 of the body
    body            BLOB,             -- NULL once pruned
    received_at     INTEGER NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('applied', 'parked', 'ignored', 'stale', 'failed')),
    result          TEXT    NOT NULL, -- what the shop was told
    reason          TEXT,             -- why it is not applied, in words
    order_id        INTEGER,
    UNIQUE (store_id, topic, digest)
) STRICT;

CREATE INDEX delivery_order ON delivery (store_id, order_id);
CREATE INDEX delivery_state ON delivery (state, seq);

-- The newest known state of each order.
CREATE TABLE shop_order (
    store_id     INTEGER NOT NULL REFERENCES store (id),
    order_id     INTEGER NOT NULL,
    account_id   TEXT    REFERENCES account (id), -- NULL until the buyer is known
    state        TEXT    NOT NULL, -- JSON of the order as the program reads it
    status       TEXT    NOT NULL,
    modified_at  INTEGER NOT NULL,
    confirmed_at INTEGER,         -- when the shop was asked and showed this state; NULL: a delivery carried it
    arrival      INTEGER NOT NULL, -- delivery.seq of what brought it; the largest there is for one that was asked for
    recheck      INTEGER NOT NULL, -- ask the shop at the next reconciliation
    parked       TEXT,             -- why a line waits for a fact, in words
    attention    TEXT,             -- what a person should look at, in words
    first_seen_at INTEGER NOT NULL,
    applied_at   INTEGER NOT NULL,
    listed_in    INTEGER,         -- number of the newest sweep that the shop showed it to, in a list or when asked
    repaired_in  INTEGER,         -- number of the newest sweep that wrote anything for it
    PRIMARY KEY (store_id, order_id)
) STRICT;

CREATE INDEX shop_order_parked ON shop_order (store_id) WHERE parked IS NOT NULL;
CREATE INDEX shop_order_account ON shop_order (account_id);
CREATE INDEX shop_order_modified ON shop_order (store_id, modified_at, order_id);
CREATE INDEX shop_order_recheck ON shop_order (store_id, order_id) WHERE recheck = 1;
CREATE INDEX shop_order_repaired ON shop_order (store_id, repaired_in) WHERE repaired_in IS NOT NULL;

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

-- What is remembered of each line from the first time it was known.
CREATE TABLE order_line (
    store_id     INTEGER NOT NULL,
    order_id     INTEGER NOT NULL,
    line_id      INTEGER NOT NULL,
    product_id   INTEGER NOT NULL,
    variation_id INTEGER NOT NULL,
    sku          TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    is_tokens    INTEGER,          -- NULL: not known yet
    worth        TEXT,             -- JSON: credits per unit or rate, validity, category, label; NULL: not known yet
    target       INTEGER NOT NULL, -- credits it should have granted
    booked       INTEGER NOT NULL, -- credits it has granted, less what was taken back
    PRIMARY KEY (store_id, order_id, line_id),
    FOREIGN KEY (store_id, order_id) REFERENCES shop_order (store_id, order_id)
) STRICT;

-- The ledger ---------------------------------------------------------------------------------------

CREATE TABLE credit_grant (
    id           TEXT    PRIMARY KEY,
    account_id   TEXT    NOT NULL REFERENCES account (id),
    seq          INTEGER NOT NULL,
    category     TEXT    NOT NULL CHECK (category IN ('paid', 'bonus', 'recurring')),
    priority     INTEGER NOT NULL,
    label        TEXT    NOT NULL,
    reason       TEXT,
    granted_at   INTEGER NOT NULL,
    effective_at INTEGER NOT NULL,
    expires_at   INTEGER,
    voided_at    INTEGER,
    frozen       INTEGER NOT NULL,
    store_id     INTEGER,
    order_id     INTEGER,
    line_id      INTEGER,
    line_seq     INTEGER,
    amount       INTEGER NOT NULL CHECK (amount > 0),
    spent        INTEGER NOT NULL CHECK (spent >= 0),
    reversed     INTEGER NOT NULL CHECK (reversed >= 0),
    expired      INTEGER NOT NULL CHECK (expired >= 0),
    clawed       INTEGER NOT NULL CHECK (clawed >= 0),
    voided       INTEGER NOT NULL CHECK (voided >= 0),
    adjusted     INTEGER NOT NULL CHECK (adjusted >= 0),
    repaid       INTEGER NOT NULL CHECK (repaid >= 0),
    UNIQUE (account_id, seq),
    UNIQUE (store_id, order_id, line_id, line_seq)
) STRICT;

-- The part of a grant in one compartment.
CREATE TABLE slice (
    grant_id   TEXT    NOT NULL REFERENCES credit_grant (id),
    site       TEXT    NOT NULL,
    account_id TEXT    NOT NULL REFERENCES account (id),
    remaining  INTEGER NOT NULL CHECK (remaining >= 0),
    held       INTEGER NOT NULL CHECK (held >= 0),
    PRIMARY KEY (grant_id, account_id, site) -- a purchase can move to another account
) STRICT;

-- A used-up slice leaves the index, so a wallet costs the same after ten years as after ten days.
CREATE INDEX slice_open ON slice (account_id, site) WHERE remaining > 0 OR held > 0;
CREATE INDEX slice_account ON slice (account_id, grant_id);

-- What a compartment owes because credits that were taken back had been spent.
CREATE TABLE debt (
    account_id TEXT    NOT NULL REFERENCES account (id),
    site       TEXT    NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (account_id, site)
) STRICT;

-- Every movement of credits, from one place to another. Rows are never updated or deleted.
CREATE TABLE entry (
    id         INTEGER PRIMARY KEY,
    account_id TEXT    NOT NULL REFERENCES account (id),
    seq        INTEGER NOT NULL,
    operation  TEXT    NOT NULL, -- the id of what moved them: a grant, a debit, a delivery, a correction
    kind       TEXT    NOT NULL,
    grant_id   TEXT    REFERENCES credit_grant (id),
    source     TEXT    NOT NULL, -- pool, site:ID, or a system account
    target     TEXT    NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount > 0),
    booked_at  INTEGER NOT NULL,
    hash       BLOB    NOT NULL, -- SHA-256 over the row and the account's previous hash
    UNIQUE (account_id, seq),
    CHECK (source <> target)
) STRICT;

-- Why credits were taken out by hand; why they were given stands with their grant.
CREATE TABLE correction (
    operation  TEXT    PRIMARY KEY, -- as in entry
    account_id TEXT    NOT NULL REFERENCES account (id),
    reason     TEXT    NOT NULL
) STRICT;

-- A debit as it was asked for; its movements are entries.
CREATE TABLE debit (
    id          TEXT    PRIMARY KEY,
    account_id  TEXT    NOT NULL REFERENCES account (id),
    site        TEXT    NOT NULL,
    agent       TEXT,
    action      TEXT,
    label       TEXT    NOT NULL,
    credits     INTEGER NOT NULL CHECK (credits > 0),
    reversed    INTEGER NOT NULL CHECK (reversed >= 0 AND reversed <= credits),
    reference   TEXT,
    occurred_at INTEGER,
    usage       TEXT,             -- private JSON of the assistant service; never shown
    booked_at   INTEGER NOT NULL,
    first_entry INTEGER NOT NULL, -- its entries in the account's sequence
    entries     INTEGER NOT NULL
) STRICT;

-- One site's usage is read without its neighbours'; an account's is read site by site.
CREATE INDEX debit_site ON debit (account_id, site, booked_at);

-- What was captured in a calendar period, per site.
CREATE TABLE spending (
    account_id   TEXT    NOT NULL REFERENCES account (id),
    site         TEXT    NOT NULL,
    agent        TEXT    NOT NULL, -- '' for the whole site
    per          TEXT    NOT NULL CHECK (per IN ('day', 'month')),
    period_start INTEGER NOT NULL,
    captured     INTEGER NOT NULL,
    PRIMARY KEY (account_id, site, agent, per, period_start)
) STRICT;

-- What a customer reads: one line for each movement, one for a burst of equal usage.
CREATE TABLE activity (
    account_id TEXT    NOT NULL REFERENCES account (id),
    seq        INTEGER NOT NULL, -- its place: twice the number of the first entry it stands for (a move has two lines)
    at         INTEGER NOT NULL,
    hour       INTEGER NOT NULL, -- start of the UTC hour of `at`
    kind       TEXT    NOT NULL,
    site       TEXT    NOT NULL,
    label      TEXT    NOT NULL,
    credits    INTEGER NOT NULL, -- signed
    order_id   INTEGER,
    PRIMARY KEY (account_id, seq)
) STRICT;

CREATE UNIQUE INDEX activity_usage ON activity (account_id, site, hour, label) WHERE kind = 'usage';
CREATE INDEX activity_site ON activity (account_id, site, seq);

-- Access -------------------------------------------------------------------------------------------

CREATE TABLE api_key (
    id          TEXT    PRIMARY KEY,
    name        TEXT    NOT NULL,
    secret_hash BLOB    NOT NULL UNIQUE, -- SHA-256: the secret itself has 256 random bits
    scopes      TEXT    NOT NULL,        -- JSON list
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER,
    revoked_at  INTEGER
) STRICT;

CREATE TABLE idempotency (
    key_id     TEXT    NOT NULL REFERENCES api_key (id),
    key        TEXT    NOT NULL,
    digest     BLOB    NOT NULL, -- SHA-256 over method, path and body
    status     INTEGER NOT NULL,
    body       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (key_id, key)
) STRICT;

CREATE INDEX idempotency_age ON idempotency (created_at);
