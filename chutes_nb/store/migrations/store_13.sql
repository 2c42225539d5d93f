-- What moves a job counts the revision on, in the write that counts the jobs: the row
-- of the clock is written once, where it was written twice.
DROP TRIGGER job_added;
DROP TRIGGER job_moved;
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
     SET rev = max(rev, NEW.rev),
         queued = queued + (NEW.state = 'queued'),
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
     SET rev = max(rev, NEW.rev),
         queued = queued + (NEW.state = 'queued') - (OLD.state = 'queued'),
         running = running + (NEW.state = 'running') - (OLD.state = 'running'),
         retrying = retrying + (NEW.state = 'retrying') - (OLD.state = 'retrying'),
         completed = completed + (NEW.state = 'completed') - (OLD.state = 'completed'),
         failed = failed + (NEW.state = 'failed') - (OLD.state = 'failed'),
         timeout = timeout + (NEW.state = 'timeout') - (OLD.state = 'timeout'),
         cancelled = cancelled + (NEW.state = 'cancelled') - (OLD.state = 'cancelled'),
         interrupted = interrupted + (NEW.state = 'interrupted')
                       - (OLD.state = 'interrupted');
END;
