"""Lines to the clusters that jobs are for: one each, made anew where it broke."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread

if TYPE_CHECKING:
    from .cluster import Cluster

T = TypeVar("T")
MOST_CALLS = 64


class Lines:
    """Connections to clusters, by their addresses.

    Parameters
    ----------
    connect : callable
        Takes an address; blocks.
    """

    def __init__(self, connect: Callable[[str], Cluster]) -> None:
        self._connect = connect
        self._clusters: dict[str, Cluster] = {}
        self._turns: dict[str, anyio.Lock] = {}
        # Threads of their own: one that waits for a cluster that hangs must keep
        # nobody from ending what runs on this machine.
        self._threads = anyio.CapacityLimiter(MOST_CALLS)

    def living(self) -> list[str]:
        """Return the addresses that answer."""
        return [name for name, one in self._clusters.items() if not one.is_lost]

    def slots(self) -> int:
        """Return how many attempts those run at once."""
        return sum(self._clusters[name].slots for name in self.living())

    async def line(self, address: str) -> Cluster:
        """Return the line to a cluster, made now where there is none.

        Raises
        ------
        OSError
            If the scheduler does not answer.
        """
        async with self._turns.setdefault(address, anyio.Lock()):
            found = self._clusters.get(address)
            if found is not None and not found.is_lost:
                return found
            if found is not None and found.is_reconnecting:
                raise ConnectionError(f"the line to {address} is just made anew")
            made = await anyio.to_thread.run_sync(
                _called, self._connect, address, limiter=self._threads
            )
            self._clusters[address] = made
        if found is not None:
            await self.ask(found.give_up)
        return made

    async def ask(self, call: Callable[..., T], *args: Any) -> T:
        """Call what asks a cluster, on a thread; whoever is cancelled lets it hang."""
        return await anyio.to_thread.run_sync(
            _called, call, *args, abandon_on_cancel=True, limiter=self._threads
        )

    def close(self) -> None:
        """Hang up everywhere."""
        for cluster in self._clusters.values():
            cluster.close()


def _called(call: Callable[..., T], *args: Any) -> T:
    """Call; what dask cancels with its line is no cancel of who called."""
    try:
        return call(*args)
    except (asyncio.CancelledError, concurrent.futures.CancelledError) as error:
        raise ConnectionError("the line to the cluster broke") from error


def said(error: Exception, address: str) -> str:
    """Say in words of the user's why a cluster cannot be asked."""
    if isinstance(error, ImportError):
        return "distributed is not installed here; pip install 'chutes-nb[dask]'"
    if isinstance(error, OSError | TimeoutError):
        return f"the scheduler at {address} does not answer"
    return f"{type(error).__name__}: {error}"[:200]
