-- A job may be queued and started by one statement; both moves are told all the same.
DROP TRIGGER job_added;
CREATE TRIGGER job_added AFTER INSERT ON jobs BEGIN
  INSERT INTO moves (seq, job, source, target, at, attempt, reason)
  VALUES (max(NEW.rev << 20, coalesce((SELECT max(seq) FROM moves), 0) + 1),
          NEW.id, NULL, iif(NEW.state = 'running', 'queued', NEW.state),
          NEW.submitted_at, 0, NEW.reason);
  INSERT INTO moves (seq, job, source, target, at, attempt, reason)
  SELECT (SELECT max(seq) FROM moves) + 1,
         NEW.id, 'queued', NEW.state, NEW.changed_at, NEW.attempt, NEW.reason
   WHERE NEW.state = 'running';
  UPDATE counts SET n = n + 1 WHERE state = NEW.state;
END;
