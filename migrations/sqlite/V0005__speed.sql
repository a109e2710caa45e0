-- Speed.
-- Keep this file and its twin for PostgreSQL alike, statement for statement.

-- Whose turn it is to write ------------------------------------------------------------------------

-- One row. Whichever program writes leaves another number here when its last commit was not the newest, so that one
-- that keeps in memory what it read notices that another wrote.
CREATE TABLE turn (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    number INTEGER NOT NULL
) STRICT;

INSERT INTO turn (one, number) VALUES (1, 0);
