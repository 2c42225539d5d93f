-- The moves of a job are a chain: each has the one before it, and the job its newest.
-- An index of them by their jobs, which nobody else needs, was three of the pages that
-- a short job wrote.
CREATE TABLE moves_10 (
  seq     INTEGER PRIMARY KEY,
  job     TEXT NOT NULL,
  source  TEXT,
  target  TEXT NOT NULL,
  at      REAL NOT NULL,
  attempt INTEGER NOT NULL,
  reason  TEXT,
  before  INTEGER
) STRICT;
INSERT INTO moves_10
SELECT seq, job, source, target, at, attempt, reason,
       lag(seq) OVER (PARTITION BY job ORDER BY seq)
  FROM moves
 ORDER BY seq;

ALTER TABLE jobs ADD COLUMN move INTEGER;
UPDATE jobs SET move = (SELECT max(seq) FROM moves WHERE job = jobs.id);

DROP TRIGGER job_added;
DROP TRIGGER job_moved;
DROP TRIGGER job_deleted;
DROP TABLE moves;
ALTER TABLE moves_10 RENAME TO moves;

-- Whoever moves a job numbers the move; a number that was given before is refused.
CREATE TRIGGER job_added AFTER INSERT ON jobs BEGIN
  INSERT INTO moves (seq, job, source, target, at, attempt, reason)
  VALUES (NEW.move - (NEW.state = 'running'), NEW.id, NULL,
          iif(NEW.state = 'running', 'queued', NEW.state),
          NEW.submitted_at, 0, NEW.reason);
  INSERT INTO moves (seq, job, source, target, at, attempt, reason, before)
  SELECT NEW.move, NEW.id, 'queued', NEW.state, NEW.changed_at, NEW.attempt,
         NEW.reason, NEW.move - 1
   WHERE NEW.state = 'running';
  UPDATE counts SET n = n + 1 WHERE state = NEW.state;
END;

CREATE TRIGGER job_moved AFTER UPDATE OF state ON jobs BEGIN
  INSERT INTO moves (seq, job, source, target, at, attempt, reason, before)
  VALUES (NEW.move, NEW.id, OLD.state, NEW.state, NEW.changed_at, NEW.attempt,
          NEW.reason, OLD.move);
  UPDATE counts SET n = n - 1 WHERE state = OLD.state;
  UPDATE counts SET n = n + 1 WHERE state = NEW.state;
END;

CREATE TRIGGER job_deleted AFTER DELETE ON jobs BEGIN
  UPDATE counts SET n = n - 1 WHERE state = OLD.state;
END;
