-- Lean: what a delivery need not write.
-- Keep this file and its twin for PostgreSQL alike, statement for statement.

-- Deliveries ---------------------------------------------------------------------------------------

-- How many bytes the body had: it is kept packed. NULL: an older version kept it as it came.
ALTER TABLE delivery ADD COLUMN size INTEGER;

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
ALTER TABLE shop_order ADD COLUMN bare INTEGER;
