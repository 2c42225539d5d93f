-- A job that wants a worker which no other job has used or will use.
ALTER TABLE jobs ADD COLUMN fresh INTEGER NOT NULL DEFAULT 0 CHECK (fresh IN (0, 1));

-- How many workers it starts at most; a detached host that takes over keeps to it.
ALTER TABLE executors ADD COLUMN max_workers INTEGER CHECK (max_workers >= 1);

-- An executor inside a job: it runs what that job submits and is nobody's heir, since
-- it ends with the job.
ALTER TABLE executors ADD COLUMN is_nested INTEGER NOT NULL DEFAULT 0
  CHECK (is_nested IN (0, 1));

-- Chutes whose waiting jobs are held back. A row stays after the chute is resumed,
-- so that whoever reads by revision learns of both.
CREATE TABLE pauses (
  chute     TEXT PRIMARY KEY,
  is_paused INTEGER NOT NULL CHECK (is_paused IN (0, 1)),
  by        TEXT NOT NULL,
  at        REAL NOT NULL,
  rev       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
