-- The tables that every job writes to, with checks and keys that cost less: a list of
-- more than two values after IN is built anew for each row, words joined by OR are not.
CREATE TABLE jobs_7 (
  seq           INTEGER PRIMARY KEY,
  id            TEXT NOT NULL UNIQUE,
  chute         TEXT NOT NULL,
  name          TEXT NOT NULL,
  definition    TEXT NOT NULL REFERENCES definitions (key),
  state         TEXT NOT NULL CHECK (
                  state = 'queued' OR state = 'running' OR state = 'completed'
                  OR state = 'retrying' OR state = 'failed' OR state = 'timeout'
                  OR state = 'cancelled' OR state = 'interrupted'),
  attempt       INTEGER NOT NULL DEFAULT 0,
  max_attempts  INTEGER NOT NULL CHECK (max_attempts >= 1),
  priority      INTEGER NOT NULL DEFAULT 0,
  not_before    REAL NOT NULL DEFAULT 0,
  timeout_s     REAL CHECK (timeout_s > 0),
  grace_s       REAL NOT NULL CHECK (grace_s >= 0),
  deadline_at   REAL,
  policy        TEXT NOT NULL CHECK (json_valid(policy)),
  lane          TEXT NOT NULL DEFAULT 'process',
  concurrency   INTEGER CHECK (concurrency >= 1),
  resources     TEXT CHECK (resources IS NULL OR json_valid(resources)),
  reuse_key     TEXT,
  input_kind    TEXT NOT NULL CHECK (
                  input_kind = 'json' OR input_kind = 'pickle'
                  OR input_kind = 'payload'),
  input         BLOB NOT NULL,
  inputs        TEXT NOT NULL CHECK (json_valid(inputs)),
  executor      TEXT REFERENCES executors (id),
  worker        TEXT REFERENCES workers (id),
  submitted_at  REAL NOT NULL,
  started_at    REAL,
  finished_at   REAL,
  changed_at    REAL NOT NULL,
  progress      TEXT CHECK (progress IS NULL OR json_valid(progress)),
  stage         TEXT,
  log_end       INTEGER NOT NULL DEFAULT 0,
  cancel_by     TEXT,
  reason        TEXT,
  error         TEXT CHECK (error IS NULL OR json_valid(error)),
  reported_failure INTEGER NOT NULL DEFAULT 0 CHECK (reported_failure IN (0, 1)),
  retry_of      TEXT,
  notebook      TEXT,
  cell          INTEGER,
  tags          TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags)),
  rev           INTEGER NOT NULL,
  fresh         INTEGER NOT NULL DEFAULT 0 CHECK (fresh IN (0, 1)),
  quiet_since   REAL,
  after         TEXT,
  waits         INTEGER NOT NULL DEFAULT 0
                CHECK (waits IN (0, 1) AND (waits = 0 OR after IS NOT NULL)),
  CHECK (attempt <= max_attempts),
  CHECK ((finished_at IS NULL)
         = (state = 'queued' OR state = 'running' OR state = 'retrying'))
) STRICT;
INSERT INTO jobs_7 SELECT * FROM jobs;
DROP TABLE jobs;
ALTER TABLE jobs_7 RENAME TO jobs;

CREATE INDEX jobs_ready ON jobs (executor, waits, priority DESC, seq)
  WHERE state IN ('queued', 'retrying');
CREATE INDEX jobs_state ON jobs (state, seq);
CREATE INDEX jobs_name ON jobs (name, seq);
CREATE INDEX jobs_reuse ON jobs (reuse_key, seq) WHERE reuse_key IS NOT NULL;
CREATE INDEX jobs_asked ON jobs (id)
  WHERE cancel_by IS NOT NULL AND finished_at IS NULL;
CREATE INDEX jobs_following ON jobs (after) WHERE waits = 1;
CREATE INDEX jobs_beside ON jobs (executor, priority DESC, seq)
  WHERE state IN ('queued', 'retrying') AND lane <> 'process';

CREATE TRIGGER job_added AFTER INSERT ON jobs BEGIN
  INSERT INTO moves (seq, job, source, target, at, attempt, reason)
  VALUES (max(NEW.rev << 20, coalesce((SELECT max(seq) FROM moves), 0) + 1),
          NEW.id, NULL, NEW.state, NEW.changed_at, NEW.attempt, NEW.reason);
  UPDATE counts SET n = n + 1 WHERE state = NEW.state;
END;

CREATE TRIGGER move_is_allowed BEFORE UPDATE OF state ON jobs
WHEN NOT EXISTS (
  SELECT 1 FROM allowed WHERE source = OLD.state AND target = NEW.state
) BEGIN
  SELECT RAISE(ABORT, 'this state cannot follow that one');
END;

CREATE TRIGGER job_moved AFTER UPDATE OF state ON jobs BEGIN
  INSERT INTO moves (seq, job, source, target, at, attempt, reason)
  VALUES (max(NEW.rev << 20, coalesce((SELECT max(seq) FROM moves), 0) + 1),
          NEW.id, OLD.state, NEW.state, NEW.changed_at, NEW.attempt, NEW.reason);
  UPDATE counts SET n = n - 1 WHERE state = OLD.state;
  UPDATE counts SET n = n + 1 WHERE state = NEW.state;
END;

CREATE TRIGGER job_deleted AFTER DELETE ON jobs BEGIN
  UPDATE counts SET n = n - 1 WHERE state = OLD.state;
END;

CREATE TABLE attempts_7 (
  job         TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  number      INTEGER NOT NULL CHECK (number >= 1),
  worker      TEXT NOT NULL,
  started_at  REAL NOT NULL,
  finished_at REAL,
  state       TEXT CHECK (
                state = 'completed' OR state = 'failed' OR state = 'timeout'
                OR state = 'cancelled' OR state = 'interrupted'),
  reason      TEXT,
  error       TEXT CHECK (error IS NULL OR json_valid(error)),
  output      TEXT NOT NULL,
  PRIMARY KEY (job, number),
  CHECK ((state IS NULL) = (finished_at IS NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO attempts_7 SELECT * FROM attempts;
DROP TABLE attempts;
ALTER TABLE attempts_7 RENAME TO attempts;

-- In place of a unique index on the live ones, whose page each commit wrote twice.
CREATE TRIGGER one_live_attempt BEFORE INSERT ON attempts
WHEN EXISTS (
  SELECT 1 FROM attempts WHERE job = NEW.job AND finished_at IS NULL
) BEGIN
  SELECT RAISE(ABORT, 'another attempt of this job has not ended');
END;
CREATE TRIGGER attempt_has_ended BEFORE UPDATE OF finished_at ON attempts
WHEN NEW.finished_at IS NULL AND OLD.finished_at IS NOT NULL
BEGIN
  SELECT RAISE(ABORT, 'an attempt that has ended does not live again');
END;

-- One tree where there were two; a result is only ever found by its job.
CREATE TABLE results_7 (
  job     TEXT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
  attempt INTEGER NOT NULL,
  kind    TEXT NOT NULL CHECK (kind IN ('json', 'pickle')),
  body    BLOB,
  blob    TEXT,
  sha256  TEXT NOT NULL,
  type    TEXT NOT NULL,
  view    TEXT CHECK (view IS NULL OR json_valid(view)),
  CHECK ((body IS NULL) <> (blob IS NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO results_7 SELECT * FROM results;
DROP TABLE results;
ALTER TABLE results_7 RENAME TO results;
