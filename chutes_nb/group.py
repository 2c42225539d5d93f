"""Several jobs at once: what ``map`` and the lists of jobs give."""

from __future__ import annotations

import html
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from typing import Any, overload

from .job import Job
from .panel.static import one_line
from .wording import duration

SHOWN = 100


class JobGroup:
    """A sequence of jobs.

    Parameters
    ----------
    jobs : list of Job
    """

    def __init__(self, jobs: list[Job]) -> None:
        self._jobs = jobs

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs)

    @overload
    def __getitem__(self, index: int) -> Job: ...

    @overload
    def __getitem__(self, index: slice) -> JobGroup: ...

    def __getitem__(self, index: int | slice) -> Job | JobGroup:
        if isinstance(index, slice):
            return JobGroup(self._jobs[index])
        return self._jobs[index]

    @property
    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        found: dict[str, int] = {}
        for job in self._jobs:
            found[job.status.value] = found.get(job.status.value, 0) + 1
        return found

    @property
    def failed(self) -> JobGroup:
        """The jobs that ended without a result."""
        bad = [job for job in self._jobs if job.done() and job.status != "completed"]
        return JobGroup(bad)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for all to end; says whether they have within so many seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        # From the last one on, which mostly ends last: one wait instead of a wake-up
        # for each job, which would take the interpreter from who runs them.
        for job in reversed(self._jobs):
            left = None if end is None else max(0.0, end - time.monotonic())
            if not job.wait(left):
                return False
        return True

    def results(self, timeout: float | None = None) -> list[Any]:
        """Wait for all to end; return the results in order.

        Raises
        ------
        TimeoutError
            If ``timeout`` seconds pass first; the jobs go on.
        JobFailed, JobTimeout, JobCancelled, JobInterrupted
            The first bad end in order.
        """
        if not self.wait(timeout):
            raise TimeoutError(f"not all of {len(self)} jobs ended in {timeout:g} s")
        return [job.result_now() for job in self._jobs]

    def as_completed(self) -> Iterator[Job]:
        """Give each job as it ends, whatever its end."""
        waiting: dict[Future[None], Job] = {job.when_ended(): job for job in self._jobs}
        while waiting:
            done, _ = wait(waiting, return_when="FIRST_COMPLETED")
            for future in done:
                yield waiting.pop(future)

    def cancel(self) -> int:
        """Cancel all that have not ended; says how many that were."""
        return sum(job.cancel() for job in self._jobs)

    def resubmit_failed(self) -> JobGroup:
        """Make a new job of each that ended without a result."""
        return JobGroup([job.retry() for job in self.failed])

    def __repr__(self) -> str:
        lines = [one_line(job.told()) for job in self._jobs[:SHOWN]]
        if len(self) > SHOWN:
            lines.append(f"... and {len(self) - SHOWN} more")
        return "\n".join(lines) or "no jobs"

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in COLUMNS)
        rows = []
        for job in self._jobs[:SHOWN]:
            cells = "".join(
                f"<td>{html.escape(text)}</td>" for text in _row(job.told())
            )
            rows.append(f"<tr>{cells}</tr>")
        if len(self) > SHOWN:
            rows.append(f"<tr><td>and {len(self) - SHOWN:,} more</td></tr>")
        return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


COLUMNS = ("status", "name", "attempt", "progress", "time", "from", "reason", "id")


def _row(info: dict[str, Any]) -> list[str]:
    """One job as a line of the table, in the order of ``COLUMNS``."""
    progress = info["progress"] or {}
    fraction, began = progress.get("fraction"), info["started_at"]
    took = (
        "" if began is None else duration((info["finished_at"] or time.time()) - began)
    )
    cell = "" if info["cell"] is None else f" [{info['cell']}]"
    return [
        info["status"],
        info["name"],
        f"{info['attempt']} of {info['max_attempts']}",
        "" if fraction is None else f"{fraction:.0%}",
        took,
        f"{info['notebook'] or ''}{cell}",
        info["reason"] or "",
        info["job_id"],
    ]
