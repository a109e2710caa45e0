-- Lean: what a delivery need not write.
-- Keep this file and its twin for SQLite alike, statement for statement.

-- Deliveries ---------------------------------------------------------------------------------------

-- How many bytes the body had: it is kept packed. NULL: an older version kept it as it came.
ALTER TABLE delivery ADD COLUMN size BIGINT;

-- An id names the place of its delivery, those of older versions apart.
DROP INDEX delivery_id;
CREATE UNIQUE INDEX delivery_id ON delivery (id) WHERE size IS NULL;

-- A repeat is looked for among the few deliveries of its order; those of no order are told apart by their content.
DROP INDEX delivery_order;
CREATE INDEX delivery_order ON delivery (store_id, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX delivery_other ON delivery (store_id, digest) WHERE order_id IS NULL;

-- Orders -------------------------------------------------------------------------------------------

-- Its lines have no rows: none sells credits, and what is remembered of them its state says. 1: somebody may still say
-- that they do; 2: nobody can; NULL: they have rows.
ALTER TABLE shop_order ADD COLUMN bare BIGINT;

-- 1: a grant of its account names it, so its account finds it by that.
ALTER TABLE shop_order ADD COLUMN granted BIGINT;
DROP INDEX shop_order_account;
CREATE INDEX shop_order_account ON shop_order (account_id) WHERE account_id IS NOT NULL AND granted IS NULL;

-- Slices -------------------------------------------------------------------------------------------

-- Whether its grant is another account's: an account finds its own grants without it.
ALTER TABLE slice ADD COLUMN moved BIGINT NOT NULL DEFAULT 0;
UPDATE slice SET moved = 1
WHERE account_id <> (SELECT g.account_id FROM credit_grant g WHERE g.id = slice.grant_id);
DROP INDEX slice_account;
CREATE INDEX slice_moved ON slice (account_id, grant_id) WHERE moved = 1;
