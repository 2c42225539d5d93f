"""Bodies that complete, or fail, and leave their process in disorder."""

from __future__ import annotations

import builtins
import decimal
import faulthandler
import gc
import json
import locale
import logging
import os
import pickle
import random
import resource
import shutil
import signal
import socket
import stat
import sys
import threading
import time
import warnings
from pathlib import Path

from hostile.kinds import kind


def lower(which, value):
    resource.setrlimit(which, (value, resource.getrlimit(which)[1]))


class Raises:
    def write(self, text):
        raise OSError("no")

    def flush(self):
        raise OSError("no")


# -- settings --------------------------------------------------------------------
@kind("completed", result=1)
def replace_signal_handlers(self):
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM, signal.SIGINT):
        signal.signal(number, lambda *_: print("mine"))
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    return 1


@kind("completed", result=1)
def block_signals(self):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
    return 1


@kind("completed", result=1)
def disarm_faulthandler(self):
    faulthandler.disable()
    faulthandler.unregister(signal.SIGUSR1)
    return 1


@kind("completed", result=1)
def leave_tracing_on(self):
    def trace(*_):
        raise RuntimeError("traced")

    sys.setprofile(lambda *_: None)
    threading.settrace(trace)
    sys.settrace(lambda *_: trace)
    return 1


@kind("completed", result=1)
def change_settings(self):
    gc.disable()
    sys.setrecursionlimit(150)
    sys.setswitchinterval(10)
    sys.set_int_max_str_digits(700)
    locale.setlocale(locale.LC_ALL, "C")
    os.umask(0o777)
    socket.setdefaulttimeout(0.001)
    decimal.getcontext().prec = 2
    sys.argv[:] = ["mine"]
    sys.meta_path.clear()
    return 1


@kind("completed", result=1)
def make_warnings_errors(self):
    warnings.simplefilter("error")
    return 1


@kind("completed", result=1)
def shut_logging(self):
    logging.disable(logging.CRITICAL)
    logging.basicConfig(stream=Raises(), force=True, level=1)
    logging.shutdown()
    return 1


@kind("completed")
def seed_random(self):
    random.seed(0)
    return random.random()


@kind("completed", result=1)
def lower_limits(self):
    lower(resource.RLIMIT_NOFILE, 10)
    lower(resource.RLIMIT_FSIZE, 0)
    return 1


@kind("completed", result=1)
def lower_limits_for_good(self):
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    return 1


@kind("completed", result=1)
def be_nice(self):
    os.nice(19)
    return 1


# -- names -----------------------------------------------------------------------
@kind("completed", result=1)
def replace_builtins(self):
    builtins.print = builtins.open = builtins.len = None
    builtins.isinstance = lambda *_: 1 / 0
    return 1


@kind("failed", "Disaster")
def delete_builtins_and_fail(self):
    class Disaster(Exception):
        pass

    error = Disaster("now")
    vars(builtins).clear()
    raise error


@kind("completed", result=1)
def replace_functions_of_modules(self):
    json.dumps = json.loads = pickle.dumps = pickle.loads = None
    time.sleep = time.monotonic = time.time = lambda *_: 0
    socket.socket = os.getpid = os.stat = threading.Thread = None
    return 1


@kind("completed", result=1)
def empty_sys_modules(self):
    sys.modules.clear()
    return 1


@kind("completed", result=1)
def change_the_environment(self):
    os.environ["HOSTILE"] = "1"
    del os.environ["PATH"]
    os.environ["TMPDIR"] = "/nowhere"
    sys.path[:] = ["/nowhere"]
    return 1


# -- descriptors and streams -----------------------------------------------------
@kind("failed", "closed the descriptors of its worker")
def close_all_descriptors(self):
    os.closerange(3, 65536)
    return 1


@kind("failed", "closed the descriptors of its worker")
def close_all_descriptors_and_reuse_them(self):
    os.closerange(3, 65536)
    for number in range(30):
        os.open(f"mine-{number}", os.O_CREAT | os.O_RDWR)
    return 1


@kind("completed", result=1)
def close_the_standard_descriptors(self):
    for fd in (0, 1, 2):
        os.close(fd)
    return 1


@kind("completed", result=1)
def move_stdout(self):
    fd = os.open("elsewhere", os.O_CREAT | os.O_WRONLY)
    os.dup2(fd, 1)
    os.dup2(fd, 0)
    print("into the file")
    return 1


@kind("completed", result=1)
def take_stdout_away(self):
    sys.stdout = sys.stderr = sys.stdin = None
    sys.__stdout__ = sys.__stderr__ = None
    return 1


@kind("completed", result=1)
def have_stdout_raise(self):
    sys.stdout = sys.stderr = Raises()
    return 1


@kind("completed", result=1)
def close_and_detach_streams(self):
    sys.stdout.reconfigure(encoding="ascii", line_buffering=False)
    sys.stderr.detach()
    sys.stdin.close()
    return 1


# -- places ----------------------------------------------------------------------
@kind("completed", result=1)
def delete_the_working_folder(self):
    shutil.rmtree(os.getcwd())
    return 1


@kind("completed", result=1)
def go_elsewhere(self):
    os.chdir("/")
    return 1


@kind("completed", result=1)
def delete_the_worker_s_folder(self):
    shutil.rmtree(Path.cwd().parent)
    return 1


@kind("completed", result=1)
def lock_the_working_folder(self):
    Path("closed").mkdir()
    Path("closed/file").write_text("x")
    os.chmod("closed", 0)
    os.chmod(".", 0)
    return 1


@kind("completed", result=1)
def delete_socket_and_lease(self):
    worker = os.environ["CHUTES_WORKER"]
    for path in Path("/proc/net/unix").read_text().split():
        if path.endswith(f"{worker}.sock"):
            os.unlink(path)
            home = Path(os.environ["CHUTES_NB_HOME"])
            os.unlink(home / "leases" / f"{worker}.lease")
            return 1
    raise AssertionError("no socket was found")


@kind("completed", result=1)
def write_into_the_worker_s_line(self):
    for name in os.listdir("/proc/self/fd"):
        try:
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                os.write(int(name), b"garbage" * 100)
        except OSError:  # the listener, or what was listed with
            pass
    time.sleep(0.3)
    return 1


# -- floods ----------------------------------------------------------------------
@kind("completed", "x" * 1000)
def flood(self):
    line = "x" * 1023 + "\n"
    for _ in range(200):
        sys.stdout.write(line * 1024)


@kind("completed", "y" * 1000)
def write_one_long_line(self):
    sys.stdout.write("y" * (50 << 20))


@kind("completed", "999999")
def redraw_a_million_times(self):
    for block in range(1000):
        sys.stdout.write("".join(f"\r{block * 1000 + n}" for n in range(1000)))


@kind("completed", "after")
def write_bytes_that_are_no_text(self):
    os.write(1, b"\0\0\xff\xfe\xc3\n\xed\xa0\x80after\n")
