"""The checker: a fresh process which reads files alone and nothing of the package.

What a process that wrote reads back may come from its own cache, so nothing that
took part in a storm may judge it.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import sqlite3
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from .invariants import INVARIANTS
from .kinds import (
    ALONE,
    ALWAYS_POSSIBLE,
    KINDS,
    big_value,
    expected,
    line,
    uploaded,
)

MOST_SHOWN = 5
OUTSIDE = """
CREATE TABLE ack (job TEXT PRIMARY KEY, kind TEXT, n INTEGER);
CREATE TABLE ledger (word TEXT, job TEXT, attempt INTEGER, pid INTEGER,
                     at REAL, wall REAL, fact TEXT);
CREATE INDEX ledger_job ON ledger (job, attempt, word);
CREATE TABLE span (job TEXT, attempt INTEGER, kind TEXT, began REAL, last REAL);
CREATE TABLE said (job TEXT, attempt INTEGER, size INTEGER);
CREATE TABLE log (job TEXT, attempt INTEGER, size INTEGER, problem TEXT);
CREATE TABLE wrong_result (job TEXT, problem TEXT);
CREATE TABLE wrong_file (job TEXT, problem TEXT);
CREATE TABLE killed (pid INTEGER);
CREATE TABLE leftover (pid INTEGER);
CREATE TABLE possible (kind TEXT, state TEXT);
CREATE TABLE alone (kind TEXT);
"""


class Checker:
    """Everything that is known of one storm, in one connection.

    Parameters
    ----------
    folder : pathlib.Path
        Of the world: ``home``, ``ledger``, ``acks``, ``blows``, ``acts``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.db = sqlite3.connect(":memory:", uri=True)
        for name, schema in (("store.db", "s"), ("logs.db", "l")):
            uri = f"file:{self.home / name}?mode=ro"
            self.db.execute(f"ATTACH '{uri}' AS {schema}")
        self.db.executescript(OUTSIDE)
        self._load_witnesses()
        self._forget()
        self._load_logs()
        self._load_results()
        self._load_files()
        self._load_uploads()

    def _lines(self, name: str) -> list[list[str]]:
        path = self.folder / name
        text = path.read_text() if path.exists() else ""
        return [one.split() for one in text.splitlines()]

    def _fill(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self.db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    def _load_witnesses(self) -> None:
        acks = [one for one in self._lines("acks") if one[:1] == ["ack"]]
        self._fill("ack", [(job, kind, int(n)) for _, job, kind, n in acks])
        self._fill("ledger", [tuple(one) for one in self._lines("ledger")])
        self.db.execute(
            """INSERT INTO span
               SELECT job, attempt, max(iif(word = 'start', fact, NULL)), min(at),
                      max(at)
                 FROM ledger GROUP BY job, attempt, pid"""
        )
        killed = [one[1] for one in self._lines("blows") if one[0] == "kill"]
        killed += [one[2] for one in self._lines("acts") if one[1] == "kill"]
        self._fill("killed", [(int(pid),) for pid in killed])
        left = self.folder / "leftovers"
        pids = json.loads(left.read_text()) if left.exists() else []
        self._fill("leftover", [(pid,) for pid in pids])
        for name, kind in KINDS.items():
            ends = kind.ends | ALWAYS_POSSIBLE
            self._fill("possible", [(name, state) for state in ends])
        self._fill("alone", [(name,) for name in ALONE])

    def _forget(self) -> None:
        """Expect nothing any more of jobs that were deleted."""
        for _, job in (one for one in self._lines("acks") if one[0] == "forget"):
            if not self.db.execute(
                "SELECT 1 FROM s.jobs WHERE id = ?", (job,)
            ).fetchone():
                for table in ("ack", "ledger", "span"):
                    self.db.execute(f"DELETE FROM {table} WHERE job = ?", (job,))

    def _load_logs(self) -> None:
        logs: dict[tuple[str, int], bytes] = defaultdict(bytes)
        broken = {}
        chunks = "SELECT job, attempt, start, body FROM l.chunks ORDER BY 1, 2, 3"
        for job, attempt, start, body in self.db.execute(chunks):
            if start != len(logs[job, attempt]):
                broken[job, attempt] = (
                    f"a chunk at {start} after {len(logs[job, attempt])}"
                )
            logs[job, attempt] += body
        for (job, attempt), body in logs.items():
            problem = broken.get((job, attempt)) or difference(job, attempt, body)
            self._fill("log", [(job, attempt, len(body), problem)])
        said = "SELECT job, attempt, CAST(fact AS INT) FROM ledger WHERE word = 'said'"
        self._fill(
            "said",
            [
                (job, attempt, sum(len(line(job, attempt, k)) for k in range(lines)))
                for job, attempt, lines in self.db.execute(said).fetchall()
            ],
        )

    def _load_results(self) -> None:
        rows = self.db.execute(
            """SELECT r.job, r.kind, r.body, r.blob, r.sha256, j.name, a.n
                 FROM s.results r JOIN s.jobs j ON j.id = r.job
                 LEFT JOIN ack a ON a.job = r.job"""
        ).fetchall()
        for job, kind, body, blob, sha256, name, n in rows:
            problem = self._result_problem(kind, body, blob, sha256, name, n)
            if problem is not None:
                self._fill("wrong_result", [(job, f"{name}: {problem}")])

    def _result_problem(
        self,
        kind: str,
        body: bytes | None,
        blob: str | None,
        sha: str,
        name: str,
        n: Any,
    ) -> str | None:
        if blob is not None:
            path = self.home / "blobs" / blob[:2] / blob
            if not path.exists():
                return "its content is lost"
            body = path.read_bytes()
        assert body is not None  # held by a check of the table
        if hashlib.sha256(body).hexdigest() != sha:
            return "its checksum is wrong"
        if n is None:
            return None  # the answer to the submit was lost: nobody knows its input
        wanted = big_value(n) if name == "big" else expected(name, n)
        found = json.loads(body) if kind == "json" else pickle.loads(body)
        return None if found == wanted else f"{str(found)[:80]} for n = {n}"

    def _load_files(self) -> None:
        for job, size, sha in self.db.execute(
            "SELECT job, size, sha256 FROM s.files"
        ).fetchall():
            path = self.home / "blobs" / sha[:2] / sha
            if not path.exists():
                self._fill("wrong_file", [(job, f"{sha[:8]} is lost")])
                continue
            body = path.read_bytes()
            if len(body) != size or hashlib.sha256(body).hexdigest() != sha:
                self._fill("wrong_file", [(job, f"{sha[:8]} is not what it was")])

    def _load_uploads(self) -> None:
        for _, uid in (one for one in self._lines("acks") if one[0] == "uploaded"):
            sha = hashlib.sha256(uploaded(uid)).hexdigest()
            path = self.home / "blobs" / sha[:2] / sha
            if not path.exists() or path.read_bytes() != uploaded(uid):
                self._fill("wrong_file", [(uid, "an upload that was finished")])

    def violations(self) -> list[str]:
        found = []
        for schema in ("s", "l"):
            for (said,) in self.db.execute(f"PRAGMA {schema}.integrity_check"):
                if said != "ok":
                    found.append(f"I0 integrity_check of {schema}: {said}")
            broken = self.db.execute(f"PRAGMA {schema}.foreign_key_check")
            found += [f"I0 foreign_key_check of {schema}: {row}" for row in broken]
        for name, query in INVARIANTS.items():
            rows = self.db.execute(query).fetchall()
            found += [f"{name}: {job} ({detail})" for job, detail in rows[:MOST_SHOWN]]
            if len(rows) > MOST_SHOWN:
                found.append(f"{name}: {len(rows) - MOST_SHOWN} more")
        return found


def difference(job: str, attempt: int, body: bytes) -> str | None:
    """Where a log departs from what its attempt printed; None where it does not."""
    at, k = 0, 0
    while at < len(body):
        wanted = line(job, attempt, k).encode()
        found = body[at : at + len(wanted)]
        if not wanted.startswith(found):
            return f"at byte {at}: {found[:60]!r}"
        at, k = at + len(wanted), k + 1
    return None


def main() -> None:
    checker = Checker(Path(sys.argv[1]))
    states = dict(checker.db.execute("SELECT state, count(*) FROM s.jobs GROUP BY 1"))
    found = checker.violations()
    report = {"jobs": sum(states.values()), "states": states, "violations": found}
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
