-- What the shop's plugin tells by the way --------------------------------------------------------------

-- For how long and as what a product sells credits, as its own fields say: JSON; NULL where they say nothing.
ALTER TABLE product ADD COLUMN terms TEXT;

-- When something was last told of by the way, by the shop's own clock: what was told before that is old news.
CREATE TABLE told (
    store_id   INTEGER NOT NULL REFERENCES store (id),
    kind       TEXT    NOT NULL CHECK (kind IN ('product', 'category')),
    subject_id INTEGER NOT NULL,
    told_at    INTEGER NOT NULL, -- microseconds since 1970
    PRIMARY KEY (store_id, kind, subject_id)
) STRICT;
