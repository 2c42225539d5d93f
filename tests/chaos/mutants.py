"""Planted bugs: each is the package with a few words changed, and a scenario.

A mutant whose words are not found (or found twice) is an error: the package has
changed, and the bug has to be planted anew.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .scenarios import (
    Scenario,
    calm,
    dead_at_the_gate,
    left_waiting,
    redelivery,
    stale_end,
    struck,
)
from .world import SOURCE


@dataclass(frozen=True)
class Mutant:
    """One planted bug.

    Attributes
    ----------
    edits : tuple of (file, words, other words)
    invariant : str
        Beginning of a violation by which it has to be caught, such as ``I4``.
    """

    name: str
    invariant: str
    scenario: Scenario
    edits: tuple[tuple[str, str, str], ...]

    @contextmanager
    def planted(self) -> Iterator[Path]:
        """Folder of the package with the bug in it."""
        folder = Path(tempfile.mkdtemp(prefix="mutant-"))
        try:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(SOURCE / "chutes_nb", folder / "chutes_nb", ignore=ignored)
            for file, words, others in self.edits:
                path = folder / "chutes_nb" / file
                text = path.read_text()
                if text.count(words) != 1:
                    raise LookupError(
                        f"mutant {self.name!r} finds {words!r} {text.count(words)} "
                        f"times in {file}; the code has changed: plant it anew"
                    )
                path.write_text(text.replace(words, others))
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def mutant(
    name: str, invariant: str, scenario: Scenario, *edits: tuple[str, str, str]
) -> Mutant:
    return Mutant(name, invariant, scenario, edits)


RETRIES = calm("once always")
ONLY_DRIVERS = struck("ticks prints hangs slow_once", driver=1.4, seconds=9.0)
ONE_MORE = ("policy.py", "attempt >= max_attempts", "attempt > max_attempts")
PENDING = "AND attempt = :attempt AND worker = :worker AND state = 'running'"
TWO_TRANSACTIONS = """
    if result is not None:
        tx.seat.connection.execute("COMMIT")
        __import__("chutes_nb.failpoints").failpoints.hit("done.before_commit")
        tx.seat.connection.execute("BEGIN IMMEDIATE")
"""
TWINS = """
            for twin in [one for one in self.lane.handles.values() if one.is_idle]:
                key = {"key": row["definition"]}
                found = self.store.reader.one(jobs.GET_DEFINITION, key)
                twin.send(define_message(found), ("run", *task_of(row, twin.output)))
"""

LEFT_LATE = ("inheriting.py", "found = list(late.outputs(*place))", "found = []")
MUTANTS = [
    mutant("attempts are counted one too low", "I2", RETRIES, ONE_MORE),
    mutant(
        "one attempt more than allowed",
        "I4",
        RETRIES,
        ONE_MORE,
        ("store/claiming.py", "AND not_before <= :now AND attempt < max_attempts", ""),
        ("store/migrations/store_7.sql", "CHECK (attempt <= max_attempts),", ""),
    ),
    mutant(
        "attempts are numbered by two",
        "I4",
        calm("always"),
        (
            "store/claiming.py",
            "attempt = attempt + 1, worker",
            "attempt = attempt + 2, worker",
        ),
    ),
    mutant(
        "no fencing in finish",
        "I",
        stale_end,
        ("store/jobs.py", PENDING, "AND state = 'running'"),
    ),
    mutant(
        "acknowledged before the commit",
        "I1",
        # Dies in the midst of its sixth commits: nearly each of them has a submit.
        struck(
            "quick",
            plan="submit.before_commit=1:sleep0.05 | commit.before=@6",
            seconds=6.0,
        ),
        (
            "entries.py",
            '        failpoints.hit("submit.before_commit")\n',
            "        self.done.tell(self.ids)\n"
            '        failpoints.hit("submit.before_commit")\n',
        ),
        (
            "entries.py",
            'failpoints.hit("submit.after_commit")\n        self.done.tell(self.ids)\n',
            'failpoints.hit("submit.after_commit")\n',
        ),
    ),
    mutant(
        "a worker lets go of its lease",
        "I13",
        ONLY_DRIVERS,
        (
            "worker/birth.py",
            "    fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
            "    os.close(lease)\n",
        ),
    ),
    mutant(
        "what runs for long is taken for dead",
        "I13",
        ONLY_DRIVERS,
        (
            "lanes/handle.py",
            "        return is_held(self.lease)\n",
            '        if self.task is not None and "started_at" in self.task.keys():\n'
            "            import time\n"
            '            if time.time() - self.task["started_at"] > 0.3:\n'
            "                return False\n"
            "        return is_held(self.lease)\n",
        ),
    ),
    mutant(
        "nobody looks when a retry is due",
        "I2",
        left_waiting,
        (
            "watching.py",
            "        self._timer = "
            "asyncio.get_running_loop().call_later(left_s, self._put, kick)\n",
            "",
        ),
    ),
    mutant(
        "a nudge is lost",
        "I2",
        calm("ticks"),
        (
            "executor.py",
            "        self._is_kicked = False\n        try:",
            "        self._is_kicked = bool(self.handles)\n        try:",
        ),
    ),
    mutant(
        "a cancel is not passed on",
        "I2",
        struck("forever", most=4, seconds=2.0, spares=True),
        ("rounds.py", 'if task["id"] in wanted:', "if False:"),
    ),
    mutant(
        "result and state in two transactions",
        "I7",
        struck("quick ticks", plan="done.before_commit=0.1"),
        (
            "store/jobs.py",
            "    if result is not None and verdict.state is State.COMPLETED:\n",
            TWO_TRANSACTIONS
            + "    if result is not None and verdict.state is State.COMPLETED:\n",
        ),
    ),
    mutant(
        "one claim goes to two workers",
        "I10",
        calm("ticks"),
        (
            "rounds.py",
            "            self._send_task(handle, row, definition, is_alone)\n",
            "            self._send_task(handle, row, definition, is_alone)" + TWINS,
        ),
    ),
    mutant(
        "a worker begins before its claim is committed",
        "I",
        struck("quick", plan="commit.before=0.03", alone=1.0),
        (
            "worker/main.py",
            "        self._expected.prepare()\n",
            "        self._run(self._expected)\n"
            "        self._on_go = lambda job, attempt: None\n",
        ),
    ),
    mutant(
        "the log is not drained before the end",
        "I8",
        calm("prints printed_error"),
        (
            "settler.py",
            "if outcome is not None and outcome.output_bytes == 0 and not "
            "handle.saw_output:",
            "if True:",
        ),
    ),
    mutant(
        "delivered again to a worker that settled alone",
        "I10",
        redelivery,
        (
            "settler.py",
            'if row is None or (row["id"], row["attempt"]) != (task["id"], '
            'task["attempt"]):',
            "if False:",
        ),
        (
            "settler.py",
            'task_of(row, row["output"])',
            'task_of(task, task["output"])',
        ),
    ),
    mutant(
        "children outlive the timeout",
        "I12",
        calm("hung_parent", most=4),
        (
            "lanes/process.py",
            "        await in_thread(handle.end_started)\n"
            "        handle.signal(signal.SIGKILL)\n"
            "        await in_thread(kill_marked, handle.id)\n",
            "        handle.signal(signal.SIGKILL)\n",
        ),
    ),
    mutant(
        "an orphan never settles",
        "I10",
        ONLY_DRIVERS,
        (
            "worker/main.py",
            "                self.pulse.alone().finish(outcome, self.pulse.asked)\n",
            "",
        ),
    ),
    mutant(
        "the living are inherited from",
        "I",
        struck("ticks once", drivers=2, driver=2.4),
        ("inheriting.py", 'if not is_held(Path(row["lease"]))', "if row"),
    ),
    mutant(
        "nobody inherits",
        "I2",
        ONLY_DRIVERS,
        (
            "inheriting.py",
            "                await self._inherit()\n",
            "                pass\n",
        ),
    ),
    mutant(
        "a retry does not wait",
        "I15",
        RETRIES,
        ("store/claiming.py", "AND not_before <= :now AND attempt <", "AND attempt <"),
    ),
    mutant(
        "the deadline is passed over",
        "I16",
        calm("late late ticks", most=40),
        ("store/claiming.py", "AND (deadline_at IS NULL OR deadline_at > :now)", ""),
        ("store/jobs.py", "   AND deadline_at <= :now\n", "   AND deadline_at <= 0\n"),
    ),
    mutant(
        "a content is lost",
        "I7",
        calm("big keeps_file"),
        (
            "store/blobs.py",
            "        os.replace(aside, final)\n",
            "        aside.unlink()\n",
        ),
    ),
    mutant(
        "the followers of a job are forgotten",
        "I21",
        calm("leads"),
        (
            "store/jobs.py",
            "    if verdict.state.is_ended:\n        _settle_followers(tx, job, now)\n",
            "",
        ),
    ),
    mutant(
        "a follower does not wait",
        "I21",
        calm("leads"),
        (
            "store/claiming.py",
            "                 AND waits = 0 AND not_before",
            "AND not_before",
        ),
    ),
    mutant(
        "the checksum is of something else",
        "I7",
        calm("quick"),
        ("store/new.py", "hashlib.sha256(self.body)", "hashlib.sha256(self.body[1:])"),
    ),
    mutant(
        "counts lose a move",
        "I17",
        calm("quick"),
        (
            "store/migrations/store_13.sql",
            "completed = completed + (NEW.state = 'completed') - (OLD",
            "completed = completed - (OLD",
        ),
    ),
    mutant(
        "a move forgets the one before",
        "I3",
        calm("quick"),
        (
            "store/migrations/store_13.sql",
            "NEW.reason, OLD.move);",
            "NEW.reason, NULL);",
        ),
    ),
    mutant(
        "an end is not final",
        "I3",
        calm("quick always", cancel=0.5),
        (
            "store/jobs.py",
            " WHERE id = :job AND state IN ('queued', 'retrying')\nRETURNING id",
            " WHERE id = :job AND state <> 'running'\nRETURNING id",
        ),
        (
            "store/migrations/store_7.sql",
            "SELECT RAISE(ABORT, 'this state cannot follow that one');",
            "SELECT 1;",
        ),
    ),
    mutant(
        "tokens and limits are passed over",
        "I18",
        calm("lonely holds_token"),
        (
            "store/holding.py",
            "OR concurrency > (SELECT",
            "OR concurrency + 9 > (SELECT",
        ),
        (
            "store/holding.py",
            "WHERE need.value > coalesce(\n",
            "WHERE need.value > 9 + coalesce(\n",
        ),
    ),
    mutant(
        "a timeout ends nothing",
        "I2",
        calm("hangs", most=4),
        (
            "lanes/lane.py",
            "= self._stop_in(max(0.0, left), handle, ending)",
            "= None",
        ),
        (
            "worker/main.py",
            "            left_s + task.grace_s, exit",
            "            999, exit",
        ),
        ("worker/pulse.py", "facts.began_at < facts.timeout_s", "facts.began_at < 999"),
    ),
    mutant(
        "an adopted attempt is timed out early",
        "I20",
        struck("slow_hang", driver=1.2, seconds=7.0),
        (
            "settler.py",
            "self.lane.begun(handle, gone_s)",
            "self.lane.begun(handle, 99.0)",
        ),
    ),
    mutant(
        "an adopted log begins anew",
        "I8",
        struck("prints", driver=0.8, seconds=7.0),
        (
            "settler.py",
            'Capture(task["output"], offset, usual_s, handle.given_at)',
            "handle.capture",
        ),
        ("store/logs.py", "    if start < known:\n", "    if False:\n"),
    ),
    mutant(
        "an attempt is recorded with the output of the one before",
        "I8",
        struck("prints printed_error", driver=0.6, seconds=8.0),
        (
            "rounds.py",
            "if handle.task is not None and handle.saw_output:",
            "if False:",
        ),
    ),
    mutant(
        "a log that a full disk refused is let go",
        "I8",
        struck("prints", plan="log.before_commit=0.5:FULL", seconds=6.0),
        ("lanes/holder.py", "if capture is not None and capture.is_owed:", "if False:"),
    ),
    mutant(
        "an heir leaves what a log lacks",
        "I8",
        struck("prints", plan="log.before_commit=0.9:FULL", driver=0.6, seconds=6.0),
        LEFT_LATE,
    ),
    mutant(
        "an orphan leaves the rest of its log",
        "I8",
        struck("prints", driver=0.5, seconds=6.0),
        ("worker/alone.py", "        while self.look():\n", "        while False:\n"),
        LEFT_LATE,  # an heir would make it good
    ),
    mutant(
        "an orphan ends what is not its own",
        "I7",
        struck("quick ticks", plan="ack.before=0.03"),
        (
            "worker/alone.py",
            "return row if row is not None and",
            "return row if row or",
        ),
    ),
    mutant(
        "who died counts as done",
        "I7",
        struck("ticks", worker=0.4),
        (
            "lanes/causes.py",
            "    return replace(found, error=error)\n",
            "    return Ending(State.COMPLETED)\n",
        ),
    ),
    mutant(
        "only the first checkpoint is kept",
        "I19",
        struck("saves", worker=0.25),
        (
            "store/runs.py",
            "   SET attempt = excluded.attempt, step = excluded.step, "
            "kind = excluded.kind,\n       body = excluded.body, file = excluded.file, "
            "at = excluded.at\n",
            "   SET attempt = excluded.attempt\n",
        ),
    ),
    mutant(
        "a kept file is not written down",
        "I9",
        calm("keeps_file"),
        ("store/settling.py", "    runs.add_files(tx, job, attempt, files)\n", ""),
    ),
    mutant(
        "a worker that hung up is given a job",
        "I2",
        dead_at_the_gate,
        (
            "lanes/handle.py",
            "        if self.transport is None or self.transport.is_closing():\n"
            "            return False\n",
            "",
        ),
        (
            "rounds.py",
            "            and handle.transport is not None  # it may have died since it "
            "told its end\n",
            "",
        ),
    ),
    mutant(
        "the content of an upload is let go",
        "I9",
        calm("quick"),
        (
            "uploads/__init__.py",
            "        take_over(part, self._blobs, upload.sha256)\n",
            "        part.unlink()\n",
        ),
    ),
    mutant(
        "an upload is gone on with at its beginning",
        "I9",
        calm("quick", seconds=3.0),
        (
            "uploads/__init__.py",
            "os.lseek(fd, there, os.SEEK_SET)",
            "os.lseek(fd, 0, 0)",
        ),
    ),
    mutant(
        "what a dead kernel had heard is not told again",
        "I22",
        struck("tells", plan="commit.before=0.1"),
        (
            "worker/pulse.py",
            "            alone.tell_again(tellings, batch)\n",
            "",
        ),
    ),
    mutant(
        "what was told twice is written twice",
        "I22",
        struck("tells", driver=0.7, seconds=7.0),
        (
            "store/runs.py",
            "return not seq or bool(tx.run(TAKE_TOLD, place))",
            "return not seq or bool(tx.run(TAKE_TOLD, place)) or True",
        ),
    ),
]
