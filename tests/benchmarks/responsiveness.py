"""How fast a real kernel answers ``1`` while jobs burn the processors."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time

from jupyter_client.manager import start_new_kernel

SETUP = """
from chutes_nb import Chute, configure
configure(max_workers=4)
chute = Chute(name="bench")

@chute.job
def burn(seconds: float) -> int:
    import time
    end, n = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        n += 1
    return n
"""
# A worker that is left waits a minute for the next kernel, in a home that goes.
END = """
from tests.benchmarks.peers.own import end
for job in jobs:
    job.cancel()
end()
"""


def answers_ms(busy: int, count: int = 100) -> list[float]:
    """Milliseconds from asking a kernel for ``1`` to its answer, sorted.

    Parameters
    ----------
    busy : int
        CPU-bound jobs that run meanwhile.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        env = os.environ | {"CHUTES_NB_HOME": home}
        manager, client = start_new_kernel(env=env, stderr=subprocess.DEVNULL)
        try:
            client.execute_interactive(SETUP, timeout=60)
            start = f"jobs = [burn.submit(60) for _ in range({busy})]\n"
            wait = "import time\nwhile not all(j.running() for j in jobs):\n"
            client.execute_interactive(f"{start}{wait}    time.sleep(0.01)", timeout=60)
            found = []
            for _ in range(count):
                began = time.perf_counter()
                client.execute_interactive("1", timeout=60, output_hook=lambda _: None)
                found.append((time.perf_counter() - began) * 1000)
            client.execute_interactive(END, timeout=60)
            return sorted(found)
        finally:
            client.stop_channels()
            manager.shutdown_kernel()
