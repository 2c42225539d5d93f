"""A kernel that does nothing for a while (a long C call, say) stops no job."""

from __future__ import annotations

import threading

from chutes_nb import runtime
from chutes_nb.states import State
from rows import until

S = 30
PARTS = 40


def test_a_job_that_tells_much_goes_on_while_its_kernel_does_nothing(
    own_chute, tmp_path
):
    @own_chute.job(timeout=60)
    def tell(self, parts: int, flag: str):
        import time
        from pathlib import Path

        for n in range(parts):
            self.emit(f"{n}:" + "x" * 100_000)
            self.progress(n + 1, parts)
            self.stage(f"part {n}")
            time.sleep(0.05)
        Path(flag).touch()
        return parts

    flag = tmp_path / "flag"
    executor, is_over = runtime.executor(), threading.Event()
    job = tell.submit(parts=PARTS, flag=str(flag))
    until(lambda: job.status is State.RUNNING)
    executor.call(lambda: is_over.wait(S))
    try:
        until(flag.exists)
    finally:
        is_over.set()
    assert job.result(S) == PARTS
    assert [one.split(":")[0] for one in job.partial] == [str(n) for n in range(PARTS)]
    assert job.progress.done == PARTS
