-- Two trees fewer for each job to write to: how many jobs are in a state stands beside
-- the revision, and a result with its attempt. Who reads finds them where they were.
ALTER TABLE clock ADD COLUMN queued INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clock ADD COLUMN running INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clock ADD COLUMN retrying INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clock ADD COLUMN completed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clock ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clock ADD COLUMN timeout INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clock ADD COLUMN cancelled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clock ADD COLUMN interrupted INTEGER NOT NULL DEFAULT 0;
UPDATE clock
   SET queued = (SELECT count(*) FROM jobs WHERE state = 'queued'),
       running = (SELECT count(*) FROM jobs WHERE state = 'running'),
       retrying = (SELECT count(*) FROM jobs WHERE state = 'retrying'),
       completed = (SELECT count(*) FROM jobs WHERE state = 'completed'),
       failed = (SELECT count(*) FROM jobs WHERE state = 'failed'),
       timeout = (SELECT count(*) FROM jobs WHERE state = 'timeout'),
       cancelled = (SELECT count(*) FROM jobs WHERE state = 'cancelled'),
       interrupted = (SELECT count(*) FROM jobs WHERE state = 'interrupted');

DROP TRIGGER job_added;
DROP TRIGGER job_moved;
DROP TRIGGER job_deleted;
DROP TABLE counts;
CREATE VIEW counts (state, n) AS
SELECT 'queued', queued FROM clock
UNION ALL SELECT 'running', running FROM clock
UNION ALL SELECT 'retrying', retrying FROM clock
UNION ALL SELECT 'completed', completed FROM clock
UNION ALL SELECT 'failed', failed FROM clock
UNION ALL SELECT 'timeout', timeout FROM clock
UNION ALL SELECT 'cancelled', cancelled FROM clock
UNION ALL SELECT 'interrupted', interrupted FROM clock;

CREATE TRIGGER job_added AFTER INSERT ON jobs BEGIN
  INSERT INTO moves (seq, job, source, target, at, attempt, reason)
  VALUES (NEW.move - (NEW.state = 'running'), NEW.id, NULL,
          iif(NEW.state = 'running', 'queued', NEW.state),
          NEW.submitted_at, 0, NEW.reason);
  INSERT INTO moves (seq, job, source, target, at, attempt, reason, before)
  SELECT NEW.move, NEW.id, 'queued', NEW.state, NEW.changed_at, NEW.attempt,
         NEW.reason, NEW.move - 1
   WHERE NEW.state = 'running';
  UPDATE clock
     SET queued = queued + (NEW.state = 'queued'),
         running = running + (NEW.state = 'running'),
         retrying = retrying + (NEW.state = 'retrying'),
         completed = completed + (NEW.state = 'completed'),
         failed = failed + (NEW.state = 'failed'),
         timeout = timeout + (NEW.state = 'timeout'),
         cancelled = cancelled + (NEW.state = 'cancelled'),
         interrupted = interrupted + (NEW.state = 'interrupted');
END;

CREATE TRIGGER job_moved AFTER UPDATE OF state ON jobs BEGIN
  INSERT INTO moves (seq, job, source, target, at, attempt, reason, before)
  VALUES (NEW.move, NEW.id, OLD.state, NEW.state, NEW.changed_at, NEW.attempt,
          NEW.reason, OLD.move);
  UPDATE clock
     SET queued = queued + (NEW.state = 'queued') - (OLD.state = 'queued'),
         running = running + (NEW.state = 'running') - (OLD.state = 'running'),
         retrying = retrying + (NEW.state = 'retrying') - (OLD.state = 'retrying'),
         completed = completed + (NEW.state = 'completed') - (OLD.state = 'completed'),
         failed = failed + (NEW.state = 'failed') - (OLD.state = 'failed'),
         timeout = timeout + (NEW.state = 'timeout') - (OLD.state = 'timeout'),
         cancelled = cancelled + (NEW.state = 'cancelled') - (OLD.state = 'cancelled'),
         interrupted = interrupted + (NEW.state = 'interrupted')
                       - (OLD.state = 'interrupted');
END;

CREATE TRIGGER job_deleted AFTER DELETE ON jobs BEGIN
  UPDATE clock
     SET queued = queued - (OLD.state = 'queued'),
         running = running - (OLD.state = 'running'),
         retrying = retrying - (OLD.state = 'retrying'),
         completed = completed - (OLD.state = 'completed'),
         failed = failed - (OLD.state = 'failed'),
         timeout = timeout - (OLD.state = 'timeout'),
         cancelled = cancelled - (OLD.state = 'cancelled'),
         interrupted = interrupted - (OLD.state = 'interrupted');
END;

ALTER TABLE attempts ADD COLUMN result_kind TEXT
  CHECK (result_kind IS NULL OR (state = 'completed' AND (
         result_kind = 'json' OR result_kind = 'pickle')));
ALTER TABLE attempts ADD COLUMN result_body BLOB;
ALTER TABLE attempts ADD COLUMN result_blob TEXT;
ALTER TABLE attempts ADD COLUMN result_sha256 TEXT
  CHECK ((result_sha256 IS NULL) = (result_kind IS NULL));
ALTER TABLE attempts ADD COLUMN result_type TEXT
  CHECK ((result_type IS NULL) = (result_kind IS NULL));
ALTER TABLE attempts ADD COLUMN result_view TEXT
  CHECK (result_view IS NULL OR json_valid(result_view))
  CHECK (((result_body IS NULL) <> (result_blob IS NULL))
         = (result_kind IS NOT NULL));
-- A name, since all outputs lie in one folder: with a path, a row with a short result
-- were too long for its page.
UPDATE attempts
   SET output = substr(output, length(rtrim(output, replace(output, '/', ''))) + 1);
UPDATE attempts
   SET (result_kind, result_body, result_blob, result_sha256, result_type, result_view)
     = (r.kind, r.body, r.blob, r.sha256, r.type, r.view)
  FROM results r
 WHERE r.job = attempts.job AND r.attempt = attempts.number
   AND attempts.state = 'completed';  -- else it was damaged, as the checks tell
DROP TABLE results;
CREATE VIEW results (job, attempt, kind, body, blob, sha256, type, view) AS
SELECT job, number, result_kind, result_body, result_blob, result_sha256, result_type,
       result_view
  FROM attempts
 WHERE result_kind IS NOT NULL;
