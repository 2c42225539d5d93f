"""What holds waiting jobs back: their kin, the tokens they want, a paused chute."""

from __future__ import annotations

from .db import Transaction
from .journal import PAUSE

# A condition on a row of jobs, for statements that look for jobs to start.
IS_PAUSED = """
EXISTS (SELECT 1 FROM pauses WHERE pauses.chute = jobs.chute AND is_paused)
"""
# A chute is known by its username and its name; the former is its definitions' affair.
USERNAME = (
    "(SELECT json_extract(options, '$.username') FROM definitions"
    " WHERE key = {}.definition)"
)
# A job whose kin are running up to its limit, or whose tokens others hold, has to
# wait; both are counted over the whole machine. So has one whose chute is paused.
# The plus keeps SQLite from looking for running kin among all jobs of their name, which
# it would do for each job that waits.
MAY_START = f"""
NOT {IS_PAUSED} AND
(concurrency IS NULL
 OR concurrency > (SELECT count(*) FROM jobs AS kin
                    WHERE kin.state = 'running' AND +kin.name = jobs.name
                      AND kin.chute = jobs.chute
                      AND (kin.definition = jobs.definition
                           OR {USERNAME.format("kin")} IS {USERNAME.format("jobs")})))
AND (resources IS NULL
     OR NOT EXISTS (
       SELECT 1
         FROM json_each(jobs.resources) AS need
        WHERE need.value > coalesce(
                (SELECT amount FROM capacities WHERE capacities.name = need.key), 1)
              - (SELECT coalesce(sum(held.value), 0)
                   FROM jobs AS other, json_each(other.resources) AS held
                  WHERE other.state = 'running' AND held.key = need.key)))
"""
HELD_BACK = """
SELECT DISTINCT chute, name
  FROM jobs
 WHERE executor = :executor AND state IN ('queued', 'retrying')
   AND concurrency IS NOT NULL
"""
# What a job wants more of than there is at all: it would wait for ever in silence.
LACKS = """
iif(resources IS NULL, NULL,
    (SELECT 'wants ' || group_concat(
              need.key || '=' || need.value || ' of '
              || printf('%.10g', coalesce(capacity.amount, 1)), ', ')
            || '; chutes_nb.configure(resources=...) says how much there is'
       FROM json_each(jobs.resources) AS need
       LEFT JOIN capacities AS capacity ON capacity.name = need.key
      WHERE need.value > coalesce(capacity.amount, 1)))
"""
SET_PAUSE = """
INSERT INTO pauses (chute, is_paused, by, at, rev)
VALUES (:chute, :is_paused, :by, :at, :rev)
ON CONFLICT (chute) DO UPDATE
   SET is_paused = excluded.is_paused, by = excluded.by, at = excluded.at,
       rev = excluded.rev
"""
# Two statements, since each state has an index of its own.
MOVE_WAITING = """
UPDATE jobs
   SET not_before = iif(not_before > 0, not_before + :by_s, 0),
       deadline_at = deadline_at + :by_s, rev = :rev
 WHERE executor = :executor AND state IN ('queued', 'retrying')
   AND (not_before > 0 OR deadline_at IS NOT NULL)
"""
MOVE_RUNNING = """
UPDATE jobs
   SET deadline_at = deadline_at + :by_s, rev = :rev
 WHERE executor = :executor AND state = 'running' AND deadline_at IS NOT NULL
"""
GET_PAUSE = "SELECT is_paused FROM pauses WHERE chute = :chute"
CHANGED = "SELECT 1 FROM pauses WHERE rev > :since LIMIT 1"


def set_pause(tx: Transaction, chute: str, is_paused: bool, by: str, at: float) -> bool:
    """Hold a chute's waiting jobs back, or let them go; False if it is so already."""
    row = tx.one(GET_PAUSE, {"chute": chute})
    if bool(row and row[0]) is is_paused:
        return False
    facts = {"chute": chute, "is_paused": is_paused, "by": by, "at": at}
    tx.run(SET_PAUSE, facts | {"rev": tx.rev})
    tx.facts.append((PAUSE, *facts.values()))
    return True


def held_back(tx: Transaction, executor: str) -> set[tuple[str, str]]:
    """Chute and name of the waiting jobs that their kin may hold back."""
    rows = tx.all(HELD_BACK, {"executor": executor})
    return {(row["chute"], row["name"]) for row in rows}


def move_times(tx: Transaction, executor: str, by_s: float) -> None:
    """Let what an executor's jobs wait for move along with a clock that was set."""
    place = {"executor": executor, "by_s": by_s, "rev": tx.rev}
    tx.run(MOVE_WAITING, place)
    tx.run(MOVE_RUNNING, place)


def is_paused(tx: Transaction, chute: str) -> bool:
    """Whether a chute's waiting jobs are held back."""
    row = tx.one(GET_PAUSE, {"chute": chute})
    return bool(row and row[0])


def has_changed(tx: Transaction, since: int) -> bool:
    """Whether any chute was paused or resumed after a revision."""
    return tx.one(CHANGED, {"since": since}) is not None
