"""Jobs with ``executor="kernel"`` in a real kernel, and their ends with it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

from chutes_nb import runtime
from chutes_nb.processes import is_held
from chutes_nb.store import Store
from kernels import Kernel
from living import living_in
from rows import until

pytestmark = pytest.mark.kernel

WAITS = """
import asyncio, pathlib, threading, time
from chutes_nb import Chute
chute, lock = Chute(name="live"), threading.Lock()

@chute.job(executor="kernel", retry=3, retry_delay=0)
async def work(self, go: str):
    print("begun")
    while not pathlib.Path(go).exists():
        await asyncio.sleep(0.01)
        print(".", end="", flush=True)
    with lock:
        return "went"
"""


@pytest.fixture
def notebook(kernel: Kernel) -> Kernel:
    """A kernel with the extension and none of an earlier test's variables."""
    kernel.run("%reset -f")
    kernel.run("%load_ext chutes_nb")
    return kernel


@pytest.fixture
def own_kernel(tmp_path: Path) -> Iterator[Kernel]:
    """A kernel for one test, since the test ends it."""
    with Kernel(tmp_path) as started:
        started.run("%load_ext chutes_nb")
        yield started


def waiting(notebook: Kernel, go: Path) -> str:
    """Id of a job that runs until a file is there."""
    notebook.run(WAITS)
    job = notebook.value(f"job = work.submit(go={str(go)!r})\njob.id")
    notebook.run("while 'begun' not in job.logs(): time.sleep(0.01)")
    return str(job)


def test_a_cell_as_a_kernel_job_uses_live_variables(notebook):
    notebook.run("import threading\nlock, seen = threading.Lock(), []")
    notebook.run(
        "%%chute_job --executor kernel -o job --out total --wait\n"
        "import asyncio\n"
        "with lock:\n"
        "    seen.append(await asyncio.sleep(0, 'live'))\n"
        "total = len(seen)\n"
        "total + 1"
    )
    assert notebook.value("(job.result(30), seen, total)") == (2, ["live"], 1)
    assert notebook.value("job.info.executor") == "kernel"
    assert "seen.append" in notebook.value("job.source")


def test_a_cell_defines_kernel_jobs(notebook):
    said = notebook.run("%%chute_job --executor kernel\ndef two(self): return 2")
    assert "executor='kernel'" in said
    assert notebook.value("two.submit().result(30)") == 2


def test_nothing_of_a_kernel_job_is_under_a_cell(notebook, tmp_path):
    go = tmp_path / "go"
    notebook.run("import pathlib, sys, time, warnings, logging")
    notebook.run(
        "%%chute_job --executor kernel -o job\n"
        "n = 0\n"
        f"while not pathlib.Path({str(go)!r}).exists():\n"
        "    print('printed'); print('errors', file=sys.stderr)\n"
        "    logging.warning('logged')\n"
        "    warnings.warn(f'warned {(n := n + 1)}')\n"
        "    display({'shown': 1})\n"
        "    time.sleep(0.002)\n"
    )
    shown = notebook.show(
        "while job.info.log_end < 2000: time.sleep(0.01)\nprint('a cell')\n1"
    )
    go.touch()
    assert notebook.value("job.wait(30)") is True
    assert (shown.text, shown.result, len(shown.bundles)) == ("a cell\n", "1", 1)
    log = notebook.value("job.logs()")
    for words in ("printed", "errors", "logged", "UserWarning: warned 1", "{'shown'"):
        assert words in log


def test_what_a_kernel_job_displays_is_kept_with_it(notebook):
    notebook.run("import threading; import matplotlib.pyplot as plt")
    notebook.run("from IPython.display import HTML, Image, update_display")
    shown = notebook.show(
        "%%chute_job --executor kernel -o job --wait\n"
        "figure, axes = plt.subplots()\n"
        "display(figure); plt.close(figure)\n"
        "started = threading.Thread(target=display, args=(HTML('<b>bold</b>'),))\n"
        "started.start(); started.join()\n"
        "display(HTML('0'), display_id='live')\n"
        "for n in range(1, 20): update_display(HTML(str(n)), display_id='live')\n"
    )
    assert not [one for one in shown.bundles if "image/png" in one]
    assert notebook.value("job.files.names") == [
        *("display-1.png", "display-2.html", "display-3.html")
    ]
    assert notebook.value("job.files[0].read()[1:4]") == b"PNG"
    assert notebook.value("[one.read() for one in job.files][1:]") == [
        *(b"<b>bold</b>", b"19")
    ]
    assert "1 Axes> (display-1.png)" in notebook.value("job.logs()")


def test_a_second_kernel_job_counts_its_displays_anew(notebook):
    notebook.run("import pandas")
    for _ in range(2):
        notebook.run(
            "%%chute_job --executor kernel -o job --wait\n"
            "display(pandas.DataFrame({'a': [1]}))"
        )
        assert notebook.value("job.files.names") == ["display-1.html"]


@pytest.mark.parametrize("module", ["tqdm.notebook", "tqdm.auto"])
def test_a_bar_of_widgets_is_text_in_a_kernel_job_alone(own_kernel, module):
    own_kernel.run(
        "%%chute_job --executor kernel -o job --wait\n"
        f"import {module}\n"  # it is imported by the job
        f"for _ in {module}.tqdm(range(20)): pass"
    )
    assert "20/20" in own_kernel.value("job.logs()")
    own_kernel.run(f"import sys, {module}\nbar = {module}.tqdm(range(20))")
    assert own_kernel.value(f"type(bar) is {module}.tqdm and hasattr(bar, 'container')")
    own_kernel.run(
        "%%chute_job --executor kernel -o job --wait\n"
        f"for _ in {module}.trange(7): pass"
    )
    assert "7/7" in own_kernel.value("job.logs()")
    finders = "sum('chutes_nb.worker.showing' in repr(one) for one in sys.meta_path)"
    assert own_kernel.value(finders) == 1


def test_an_interrupt_of_the_kernel_leaves_kernel_jobs_alone(notebook, tmp_path):
    waiting(notebook, tmp_path / "go")
    request = notebook.client.execute("print('busy')\nwhile True: time.sleep(0.01)")
    while True:  # the cell is known to run
        message = notebook.client.get_iopub_msg(timeout=30)
        is_its = message["parent_header"].get("msg_id") == request
        if is_its and message["msg_type"] == "stream":
            break
    notebook.manager.interrupt_kernel()
    assert notebook.client.get_shell_msg(timeout=30)["content"]["status"] == "error"
    assert notebook.value("job.running()") is True
    (tmp_path / "go").touch()
    assert notebook.value("job.result(30)") == "went"


@pytest.mark.parametrize("end", ["restart", "restart now", "kill"])
def test_a_kernel_job_ends_with_its_kernel(own_kernel, tmp_path, end):
    job = waiting(own_kernel, tmp_path / "go")
    own_kernel.run("work2 = chute.job(executor='kernel', concurrency=1)(work.function)")
    waits = own_kernel.value(
        f"one, two = work2.map([{{'go': {str(tmp_path / 'go')!r}}}] * 2)\ntwo.id"
    )
    if end == "kill":
        os.kill(own_kernel.manager.provisioner.pid, signal.SIGKILL)
        until(lambda: not own_kernel.manager.is_alive())
    own_kernel.restart(kill=end != "restart")
    own_kernel.run("%load_ext chutes_nb")
    own_kernel.run(f"import chutes_nb\njob = chutes_nb.get_job({job!r})")
    own_kernel.run(f"waits = chutes_nb.get_job({waits!r})")
    assert own_kernel.value("(job.wait(30), waits.wait(30))") == (True, True)
    found = own_kernel.value("[str(one.status) for one in (job, waits)]")
    assert found == ["interrupted", "cancelled"]
    assert "its kernel ended" in own_kernel.value("job.reason")
    assert "before it could run" in own_kernel.value("waits.reason")
    assert own_kernel.value("len(job.attempts)") == 1  # nobody else can try again
    assert own_kernel.value("job.logs()").startswith("begun\n")
    told = own_kernel.run(
        "try:\n    job.retry()\nexcept chutes_nb.KernelGone as error:\n    print(error)"
    )
    assert "run the cell of work" in told
    own_kernel.run(WAITS)
    (tmp_path / "go").touch()
    own_kernel.run("again = job.retry(code='current')")
    assert own_kernel.value("again.result(30)") == "went"


def test_reloading_the_extension_keeps_the_kernel_usable(own_kernel, tmp_path):
    waiting(own_kernel, tmp_path / "go")
    own_kernel.run("%reload_ext chutes_nb")
    assert own_kernel.value("(job.wait(30), str(job.status))") == (True, "interrupted")
    (tmp_path / "go").touch()
    assert own_kernel.value(f"work.submit(go={str(tmp_path / 'go')!r}).result(30)") == (
        "went"
    )


SCRIPT = """
import sys, threading, time
from chutes_nb import Chute
chute = Chute(name="script")
held = threading.Event()

@chute.job(executor="kernel", retry=2, retry_delay=0, concurrency=1)
def work(self):
    print("begun", flush=True)
    held.wait()

@chute.job(timeout=60)
def other(self):
    return "beside"

jobs = [*work.map([{}, {}]), other.submit()]
while "begun" not in jobs[0].logs() or not jobs[2].done():
    time.sleep(0.01)
print(*[job.id for job in jobs], flush=True)
time.sleep(600)
"""


def test_another_process_ends_what_a_killed_one_has_left(tmp_path):
    home = tmp_path / "home"
    environ = {**os.environ, "CHUTES_NB_HOME": str(home)}
    script = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], env=environ, stdout=subprocess.PIPE, text=True
    )
    assert script.stdout is not None
    ids = script.stdout.readline().split()
    script.kill()
    script.wait(60)
    script.stdout.close()
    with living_in(home, workers=1):
        executor, store = runtime.executor(), runtime.store()
        until(lambda: all(store.has_ended(job) for job in ids))
        found = [store.status(job) for job in ids]
        assert [one["status"] for one in found] == [
            "interrupted",
            "cancelled",
            "completed",
        ]
        assert [one["attempt"] for one in found] == [1, 0, 1]
        assert "its kernel ended while it ran" in found[0]["reason"]
        assert store.log(ids[0])["text"] == "begun\n"
        until(lambda: not left_rows(store, executor.id))


def left_rows(store: Store, executor: str) -> list[object]:
    """Places in kernels that are not recorded as ended, and are no living one's."""
    rows = store.reader.all(
        "SELECT * FROM workers WHERE ended_at IS NULL AND socket = ''"
    )
    return [row for row in rows if not is_held(Path(row["lease"]))]


def test_a_script_ends_by_itself_while_a_kernel_job_hangs(tmp_path):
    environ = {**os.environ, "CHUTES_NB_HOME": str(tmp_path / "home")}
    code = SCRIPT.replace("time.sleep(600)", "sys.exit(0)")
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    store = Store(tmp_path / "home")  # nobody has come since
    ends = [store.status(job)["status"] for job in run.stdout.split()]
    store.close()
    assert ends == ["interrupted", "cancelled", "completed"]
    with living_in(tmp_path / "home", workers=1):
        runtime.executor()  # ends the worker that waits for one


async def test_jupyter_culls_no_kernel_while_a_kernel_job_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("CHUTES_NB_HOME", str(tmp_path / "home"))
    idle_s = 6
    kernels = AsyncMappingKernelManager(
        cull_idle_timeout=idle_s, cull_interval=1, root_dir=str(tmp_path)
    )
    name = await kernels.start_kernel(kernel_name="python3", path="")
    client = kernels.get_kernel(name).client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    go = tmp_path / "go"
    say_often = "import chutes_nb.lanes.awake as it\nit.SAY_EACH_S = 0.2\n"
    cell = f"{say_often}{WAITS}job = work.submit(go={str(go)!r})"
    await client.execute_interactive(cell, timeout=60)
    late = kernels.get_kernel(name).last_activity + timedelta(seconds=1.5 * idle_s)
    client.stop_channels()
    end = time.monotonic() + 60
    while kernels.get_kernel(name).last_activity < late:
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
    go.touch()
    while name in kernels:  # idle now, so it goes
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
