-- How much of what a run tells by itself is here: the number of the newest batch. What
-- a dead executor had heard and not yet written is told again, and is here once.
ALTER TABLE attempts ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
