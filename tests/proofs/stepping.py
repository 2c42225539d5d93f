"""Runs another process instruction by instruction, and holds it where one likes.

ptrace(2) on x86-64 Linux, by ctypes: what a debugger does. A race of a few
instructions that no signal hits is brought about by it each time.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import signal
import struct
import sys

PTRACE_SINGLESTEP, PTRACE_GETREGS, PTRACE_DETACH, PTRACE_SYSCALL = 9, 12, 17, 24
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_O_TRACESYSGOOD = 0x4206, 0x4207, 1
WALL = 0x40000000
SYSCALL_STOP = signal.SIGTRAP | 0x80
FCNTL, F_SETLK, F_WRLCK = 72, 6, 1
RAX, RDX, RSI, ORIG_RAX = 10, 12, 13, 15  # places in struct user_regs_struct
FLOCK = struct.Struct("hhqqi")

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]


def is_possible() -> bool:
    """Whether this machine lets a process trace its child."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    pid = os.fork()
    if pid == 0:
        signal.pause()
    try:
        _ptrace(PTRACE_SEIZE, pid)
    except OSError:
        return False
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, WALL)
    return True


def _ptrace(request: int, pid: int, data: int | None = None) -> None:
    if _libc.ptrace(request, pid, None, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace {request}: {os.strerror(number)}")


class Stepped:
    """A child of this process under the hand of this thread; ``with`` lets it go."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def __enter__(self) -> Stepped:
        _ptrace(PTRACE_SEIZE, self.pid, PTRACE_O_TRACESYSGOOD)
        _ptrace(PTRACE_INTERRUPT, self.pid)
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            _ptrace(PTRACE_DETACH, self.pid)

    def _wait(self) -> int:
        _, status = os.waitpid(self.pid, WALL)
        assert os.WIFSTOPPED(status), f"the process has ended: {status}"
        return os.WSTOPSIG(status)

    def _registers(self) -> tuple[int, ...]:
        room = (ctypes.c_uint64 * 27)()
        _ptrace(PTRACE_GETREGS, self.pid, ctypes.addressof(room))
        return tuple(room)

    def go_on_until_locked(self, start: int) -> None:
        """Let it run until it has locked the byte at an offset of some file."""
        while True:
            self._syscall()
            registers = self._registers()
            is_lock = registers[ORIG_RAX] == FCNTL and registers[RSI] == F_SETLK
            is_it = is_lock and self._asks_for(registers[RDX], start)
            self._syscall()  # on the way out
            if is_it and self._registers()[RAX] == 0:
                return

    def _syscall(self) -> None:
        while True:
            _ptrace(PTRACE_SYSCALL, self.pid)
            if self._wait() == SYSCALL_STOP:
                return

    def _asks_for(self, address: int, start: int) -> bool:
        with open(f"/proc/{self.pid}/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            kind, _, begin, _, _ = FLOCK.unpack(memory.read(FLOCK.size))
        return bool(kind == F_WRLCK and begin == start)

    def step(self, instructions: int) -> None:
        """Let it run so many instructions."""
        for _ in range(instructions):
            _ptrace(PTRACE_SINGLESTEP, self.pid)
            self._wait()
