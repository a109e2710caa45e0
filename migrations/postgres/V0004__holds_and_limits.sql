-- Spending: what is held for a while, what is limited, who hands what over.
-- Keep this file and its twin for SQLite alike, statement for statement.

-- Holds and reversals ------------------------------------------------------------------------------

-- Limits, policies and the brake -------------------------------------------------------------------

-- Sites and keys -----------------------------------------------------------------------------------

