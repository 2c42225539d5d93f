-- Waiting jobs that no worker takes: whoever looks for them must not read past all that
-- wait for one. Costs nothing where there are none.
CREATE INDEX jobs_beside ON jobs (executor, priority DESC, seq)
  WHERE state IN ('queued', 'retrying') AND lane <> 'process';
