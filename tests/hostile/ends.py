"""Bodies that end their process, or what an exception can be."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import faulthandler
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from hostile.kinds import kind

LIMIT = {"timeout": 0.4}


def die_by(number):
    os.kill(os.getpid(), number)
    time.sleep(30)


# -- exits ---------------------------------------------------------------------
@kind("failed", "exit code 0 and no result")
def exit_at_once(self):
    os._exit(0)


@kind("failed", "exit code 3 and no result")
def exit_at_once_with_3(self):
    os._exit(3)


@kind("failed", "sys.exit(0)")
def sys_exit_0(self):
    sys.exit(0)


@kind("failed", "sys.exit(enough)")
def sys_exit_with_words(self):
    sys.exit("enough")


@kind("failed", "sys.exit")
def call_quit(self):
    quit()


@kind("completed", result=1)
def exit_in_a_thread(self):
    thread = threading.Thread(target=sys.exit)
    thread.start()
    thread.join()
    return 1


@kind("failed", "KeyboardInterrupt")
def keyboard_interrupt(self):
    raise KeyboardInterrupt


@kind("failed", "RecursionError")
def recursion(self):
    def again():
        again()

    again()


@kind("failed", "out of memory (peak")
def too_much_memory(self):
    room = int(Path("/proc/self/statm").read_text().split()[0]) * 4096 + (64 << 20)
    resource.setrlimit(
        resource.RLIMIT_AS, (room, resource.getrlimit(resource.RLIMIT_AS)[1])
    )
    bytearray(1 << 32)


# -- signals -------------------------------------------------------------------
@kind("failed", "SIGSEGV")
def segfault(self):
    ctypes.string_at(0)


@kind("failed", "SIGABRT")
def abort(self):
    os.abort()


@kind("failed", "SIGFPE")
def floating_point(self):
    die_by(signal.SIGFPE)


@kind("interrupted", "killed by signal 9 (SIGKILL), perhaps out of memory")
def sigkill(self):
    die_by(signal.SIGKILL)


@kind("interrupted", "signal 15 (SIGTERM)")
def sigterm(self):
    die_by(signal.SIGTERM)


@kind("completed", result="SIGINT is ignored")
def sigint(self):
    os.kill(os.getpid(), signal.SIGINT)
    return "SIGINT is ignored"


@kind("interrupted", "signal 1 (SIGHUP)")
def sighup(self):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored below nohup
    die_by(signal.SIGHUP)


@kind("timeout", "timed out after 0.4 s", **LIMIT)
def sigstop(self):
    os.kill(os.getpid(), signal.SIGSTOP)


@kind("interrupted", "signal 9 (SIGKILL)")
def kill_the_whole_group(self):
    os.killpg(0, signal.SIGKILL)
    time.sleep(30)


@kind("failed", "limit of CPU time")
def cpu_limit(self):
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    used = int(time.process_time()) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (used, hard))
    while True:
        pass


# -- forks ---------------------------------------------------------------------
@kind("completed", result="parent")
def fork_and_let_the_child_return(self):
    return "parent" if os.fork() else "child"


@kind("completed", result="parent")
def fork_and_let_the_child_sleep(self):
    if os.fork() == 0:
        time.sleep(60)
    return "parent"


@kind("completed", result="parent")
def fork_and_let_the_child_loop(self):
    if os.fork() == 0:
        while True:
            pass
    return "parent"


@kind("failed", "exit code 3")
def exit_and_leave_a_fork(self):
    if os.fork() == 0:
        time.sleep(60)
    os._exit(3)


@kind("completed", result=1)
def leave_a_daemon(self):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 65536)
            time.sleep(60)
        os._exit(0)
    return 1


def daemon(self):
    """A command whose words alone tell whose it is; other tests have sleepers too."""
    sleep = [sys.executable, "-c", "import time; time.sleep(60)", str(self.output_dir)]
    return ["setsid", "--fork", *sleep]


@kind("completed", result=1)
def leave_a_daemon_with_no_environment(self):
    subprocess.run(daemon(self), env={"PATH": os.environ["PATH"]}, check=True)
    return 1


@kind("timeout", "timed out", **LIMIT)
def hang_with_a_daemon_with_no_environment(self):
    subprocess.run(daemon(self), env={"PATH": os.environ["PATH"]}, check=True)
    time.sleep(60)


@kind("completed", result=[1, 4])
def leave_a_pool_open(self):
    pool = multiprocessing.get_context("fork").Pool(2)
    self.found = pool.map(abs, [-1, -4])
    self.pool = None
    globals()["_kept"] = pool
    return [1, 4]


# -- threads and hooks -----------------------------------------------------------
@kind("completed", result=1)
def leave_a_thread(self):
    threading.Thread(target=time.sleep, args=(60,)).start()
    return 1


@kind("completed", result=1)
def leave_a_daemon_thread(self):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    return 1


@kind("completed", result=1)
def leave_an_exit_hook_that_hangs(self):
    import atexit

    atexit.register(time.sleep, 60)
    return 1


@kind("timeout", "timed out after 0.4 s", **LIMIT)
def ignore_sigterm(self):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)


@kind("timeout", "timed out after 0.4 s", **LIMIT)
def disarm_the_watchdog(self):
    faulthandler.cancel_dump_traceback_later()
    faulthandler.disable()
    faulthandler.unregister(signal.SIGUSR1)
    time.sleep(60)


# -- async -----------------------------------------------------------------------
@kind("timeout", "timed out after 0.4 s", **LIMIT)
async def swallow_cancellation(self):
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            print("not me")


@kind("completed", result=1)
async def leave_tasks(self):
    globals()["_task"] = asyncio.create_task(asyncio.sleep(60))
    return 1


@kind("completed", result=1)
async def leave_a_task_that_swallows_cancellation(self):
    async def stay():
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)

    globals()["_task"] = asyncio.create_task(stay())
    await asyncio.sleep(0)
    return 1


@kind("failed", "Cannot close a running event loop")
async def close_the_loop(self):
    asyncio.get_running_loop().close()


@kind("failed", "stopped before Future completed")
async def stop_the_loop(self):
    asyncio.get_running_loop().stop()
    await asyncio.sleep(60)


@kind("failed", "cannot be called from a running event loop")
async def start_another_loop(self):
    body = asyncio.sleep(0)
    try:
        asyncio.run(body)
    finally:
        body.close()


@kind("failed", "This event loop is already running")
async def run_until_complete_inside(self):
    body = asyncio.sleep(0)
    try:
        asyncio.get_running_loop().run_until_complete(body)
    finally:
        body.close()
