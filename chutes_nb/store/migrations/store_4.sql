-- Where a checkpoint or a state is too large for a row: a file below kept/, named by
-- job and file name.
ALTER TABLE checkpoints ADD COLUMN file TEXT;
ALTER TABLE states ADD COLUMN file TEXT;
