CREATE TABLE clock (
  id  INTEGER PRIMARY KEY CHECK (id = 1),
  rev INTEGER NOT NULL
) STRICT;
INSERT INTO clock VALUES (1, 0);

-- Copied from chutes_nb.states.ALLOWED; a test holds the two equal.
CREATE TABLE allowed (
  source TEXT NOT NULL,
  target TEXT NOT NULL,
  PRIMARY KEY (source, target)
) STRICT, WITHOUT ROWID;
INSERT INTO allowed VALUES
  ('queued', 'running'), ('queued', 'cancelled'), ('queued', 'timeout'),
  ('running', 'retrying'), ('running', 'completed'), ('running', 'failed'),
  ('running', 'timeout'), ('running', 'cancelled'), ('running', 'interrupted'),
  ('retrying', 'running'), ('retrying', 'cancelled'), ('retrying', 'timeout');

CREATE TABLE executors (
  id         TEXT PRIMARY KEY,
  kind       TEXT NOT NULL CHECK (kind IN ('kernel', 'host')),
  pid        INTEGER NOT NULL,
  boot_id    TEXT NOT NULL,
  python     TEXT NOT NULL,
  lease      TEXT NOT NULL,
  sqlite     TEXT NOT NULL,
  started_at REAL NOT NULL,
  ended_at   REAL
) STRICT;
CREATE INDEX executors_live ON executors (id) WHERE ended_at IS NULL;

CREATE TABLE workers (
  id          TEXT PRIMARY KEY,
  executor    TEXT NOT NULL REFERENCES executors (id),
  pid         INTEGER,
  start_ticks INTEGER,
  boot_id     TEXT,
  lease       TEXT NOT NULL,
  socket      TEXT NOT NULL,
  folder      TEXT NOT NULL,
  started_at  REAL NOT NULL,
  ended_at    REAL
) STRICT;
CREATE INDEX workers_live ON workers (executor) WHERE ended_at IS NULL;

CREATE TABLE definitions (
  key        TEXT PRIMARY KEY,
  chute      TEXT NOT NULL,
  name       TEXT NOT NULL,
  code       BLOB NOT NULL,
  setup      BLOB NOT NULL,
  source     TEXT NOT NULL,
  first_line INTEGER NOT NULL,
  sources    TEXT NOT NULL CHECK (json_valid(sources)),
  schema     TEXT NOT NULL CHECK (json_valid(schema)),
  options    TEXT NOT NULL CHECK (json_valid(options)),
  python     TEXT NOT NULL,
  created_at REAL NOT NULL
) STRICT;
CREATE INDEX definitions_name ON definitions (name, created_at);

CREATE TABLE jobs (
  seq           INTEGER PRIMARY KEY,
  id            TEXT NOT NULL UNIQUE,
  chute         TEXT NOT NULL,
  name          TEXT NOT NULL,
  definition    TEXT NOT NULL REFERENCES definitions (key),
  state         TEXT NOT NULL CHECK (state IN (
                  'queued', 'running', 'retrying', 'completed',
                  'failed', 'timeout', 'cancelled', 'interrupted')),
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
                  input_kind IN ('json', 'pickle', 'payload')),
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
  CHECK (attempt <= max_attempts),
  CHECK ((finished_at IS NULL) = (state IN ('queued', 'running', 'retrying')))
) STRICT;
CREATE INDEX jobs_ready ON jobs (executor, priority DESC, seq)
  WHERE state IN ('queued', 'retrying');
CREATE INDEX jobs_state ON jobs (state, seq);
CREATE INDEX jobs_name ON jobs (name, seq);
CREATE INDEX jobs_reuse ON jobs (reuse_key, seq) WHERE reuse_key IS NOT NULL;
CREATE INDEX jobs_asked ON jobs (id)
  WHERE cancel_by IS NOT NULL AND finished_at IS NULL;

-- Names that clients gave to their requests: the same request is queued once.
CREATE TABLE request_keys (
  key    TEXT PRIMARY KEY,
  job    TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  digest TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX request_keys_job ON request_keys (job);

CREATE TABLE attempts (
  job         TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  number      INTEGER NOT NULL CHECK (number >= 1),
  worker      TEXT NOT NULL,
  started_at  REAL NOT NULL,
  finished_at REAL,
  state       TEXT CHECK (state IN (
                'completed', 'failed', 'timeout', 'cancelled', 'interrupted')),
  reason      TEXT,
  error       TEXT CHECK (error IS NULL OR json_valid(error)),
  output      TEXT NOT NULL,
  PRIMARY KEY (job, number),
  CHECK ((state IS NULL) = (finished_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_live_attempt ON attempts (job) WHERE finished_at IS NULL;

-- seq is the revision times 2^20, counted on: it orders the moves and finds those
-- of a revision without an index of its own.
CREATE TABLE moves (
  seq     INTEGER PRIMARY KEY,
  job     TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  source  TEXT,
  target  TEXT NOT NULL,
  at      REAL NOT NULL,
  attempt INTEGER NOT NULL,
  reason  TEXT
) STRICT;
CREATE INDEX moves_job ON moves (job);

CREATE TABLE results (
  job     TEXT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
  attempt INTEGER NOT NULL,
  kind    TEXT NOT NULL CHECK (kind IN ('json', 'pickle')),
  body    BLOB,
  blob    TEXT,
  sha256  TEXT NOT NULL,
  type    TEXT NOT NULL,
  view    TEXT CHECK (view IS NULL OR json_valid(view)),
  CHECK ((body IS NULL) <> (blob IS NULL))
) STRICT;

CREATE TABLE states (
  job     TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  attempt INTEGER NOT NULL,
  body    TEXT NOT NULL CHECK (json_valid(body)),
  exact   BLOB,
  at      REAL NOT NULL,
  PRIMARY KEY (job, attempt)
) STRICT;

CREATE TABLE metrics (
  seq     INTEGER PRIMARY KEY,
  job     TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  attempt INTEGER NOT NULL,
  name    TEXT NOT NULL,
  step    REAL,
  value   REAL,
  at      REAL NOT NULL
) STRICT;
CREATE INDEX metrics_job ON metrics (job, attempt, name);

CREATE TABLE partials (
  seq     INTEGER PRIMARY KEY,
  job     TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  attempt INTEGER NOT NULL,
  kind    TEXT NOT NULL,
  body    BLOB NOT NULL,
  at      REAL NOT NULL
) STRICT;
CREATE INDEX partials_job ON partials (job);

CREATE TABLE checkpoints (
  job     TEXT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
  attempt INTEGER NOT NULL,
  step    REAL,
  kind    TEXT NOT NULL,
  body    BLOB NOT NULL,
  at      REAL NOT NULL
) STRICT;

CREATE TABLE files (
  job     TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  attempt INTEGER NOT NULL,
  n       INTEGER NOT NULL,
  name    TEXT NOT NULL CHECK (name <> ''),
  origin  TEXT NOT NULL,
  size    INTEGER NOT NULL,
  type    TEXT NOT NULL,
  sha256  TEXT NOT NULL,
  PRIMARY KEY (job, n)
) STRICT, WITHOUT ROWID;

-- How much there is of a token on this machine; 1 of one that is not named here.
CREATE TABLE capacities (
  name   TEXT PRIMARY KEY,
  amount REAL NOT NULL CHECK (amount >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE counts (
  state TEXT PRIMARY KEY,
  n     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counts VALUES
  ('queued', 0), ('running', 0), ('retrying', 0), ('completed', 0),
  ('failed', 0), ('timeout', 0), ('cancelled', 0), ('interrupted', 0);

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
