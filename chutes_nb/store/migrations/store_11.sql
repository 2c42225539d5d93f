-- What is due next is asked at each commit that knows of a time: not among all that wait.
CREATE INDEX jobs_deadline ON jobs (executor, deadline_at)
  WHERE state IN ('queued', 'retrying') AND deadline_at IS NOT NULL;
CREATE INDEX jobs_due ON jobs (executor, not_before)
  WHERE state IN ('queued', 'retrying') AND not_before > 0;
