"""The one place that sends requests: runs flows with threads and with event loops."""

from __future__ import annotations

import ipaddress
import ssl
import threading
import time
import weakref
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import anyio
import httpx

from .flows import Ask, Flow, Outcome, Pause, T, found, json_of

CONNECT_S = 10.0
ANSWER_S = 30.0


class Link:
    """A server's API, with a token.

    Parameters
    ----------
    base : str
        Address of ``chutes/`` on the server, with a slash at its end.
    token : str
    verify : bool or ssl.SSLContext
        Whom to trust, as httpx takes it.
    patience_s : float
        How long a server that is away is waited for.
    """

    def __init__(
        self,
        base: str,
        token: str,
        verify: bool | ssl.SSLContext = True,
        patience_s: float = 30.0,
    ) -> None:
        self.base, self.patience_s = base, patience_s
        headers = {"User-Agent": f"chutes-nb/{version('chutes-nb')}"}
        if token:
            headers["Authorization"] = f"token {token}"
        self._how: dict[str, Any] = {
            "base_url": base,
            "headers": headers,
            # Making a context reads all certificates; each client would make its own.
            "verify": _context() if verify is True else verify,
            "trust_env": not _is_loopback(httpx.URL(base).host),
            "follow_redirects": False,
        }
        self._client = httpx.Client(**self._how)
        self._closing = weakref.finalize(self, self._client.close)

    def close(self) -> None:
        """Close the connections; the next request raises RuntimeError."""
        self._closing()

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be asked any more."""
        return not self._closing.alive

    # -- running flows ---------------------------------------------------------
    def run(self, flow: Flow[T]) -> T:
        """Run a flow on this thread."""
        outcome: Outcome = None
        try:
            while True:
                step = flow.send(outcome)
                if isinstance(step, Pause):
                    outcome = None
                    time.sleep(step.seconds)
                    continue
                try:
                    outcome = self._client.request(**_request(step))
                except httpx.RequestError as error:
                    outcome = error
        except StopIteration as end:
            value: T = end.value
            return value

    async def run_async(self, flow: Flow[T]) -> T:
        """Run a flow on the event loop.

        The connection lives as long as the flow: one that is kept would belong to a
        loop that may be gone when it is used next.
        """
        outcome: Outcome = None
        if self.is_closed:
            raise RuntimeError(
                "this chute has been closed; Chute.connect makes another"
            )
        async with httpx.AsyncClient(**self._how) as client:
            try:
                while True:
                    step = flow.send(outcome)
                    if isinstance(step, Pause):
                        outcome = None
                        await anyio.sleep(step.seconds)
                        continue
                    try:
                        outcome = await client.request(**_request(step))
                    except httpx.RequestError as error:
                        outcome = error
            except StopIteration as end:
                value: T = end.value
                return value

    # -- what most flows are ---------------------------------------------------
    def json(self, method: str, path: str, **how: Any) -> Flow[Any]:
        """Give a flow that asks for JSON; ``how`` are fields of :class:`Ask`."""
        return json_of(Ask(method, path, **how), self.patience_s)

    def found(self, method: str, path: str, **how: Any) -> Flow[httpx.Response]:
        """Give a flow that asks for an answer that is no refusal."""
        return found(Ask(method, path, **how), self.patience_s)


def _request(ask: Ask) -> dict[str, Any]:
    query: Mapping[str, Any] = {k: v for k, v in ask.query.items() if v is not None}
    return {
        "method": ask.method,
        "url": ask.path,
        "params": query or None,
        "headers": ask.headers,
        "content": ask.content,
        "timeout": httpx.Timeout(ANSWER_S, connect=CONNECT_S, read=_read_s(ask)),
    }


def _read_s(ask: Ask) -> float:
    return ANSWER_S + ask.wait_s


_lock = threading.Lock()


def _context() -> ssl.SSLContext:
    with _lock:
        return _made_context()


@lru_cache(maxsize=1)
def _made_context() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _is_loopback(host: str) -> bool:
    """Tell whether an address is this machine, where no proxy has any part."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
