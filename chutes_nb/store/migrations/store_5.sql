-- The job whose result this one takes, and whether it still waits for it: then nobody
-- may start it.
ALTER TABLE jobs ADD COLUMN after TEXT;
ALTER TABLE jobs ADD COLUMN waits INTEGER NOT NULL DEFAULT 0
  CHECK (waits IN (0, 1) AND (waits = 0 OR after IS NOT NULL));
CREATE INDEX jobs_following ON jobs (after) WHERE waits = 1;

-- Those that wait are not looked at when the next job to start is looked for.
DROP INDEX jobs_ready;
CREATE INDEX jobs_ready ON jobs (executor, waits, priority DESC, seq)
  WHERE state IN ('queued', 'retrying');
