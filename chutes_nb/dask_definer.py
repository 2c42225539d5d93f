"""Definitions of ``executor="dask"``: code for another machine, and where it is."""

from __future__ import annotations

import socket
import sys
import time
from typing import Any
from urllib.parse import urlsplit

from .definer import Definer
from .errors import ChutesError, DefinitionError
from .store import jobs

CONNECT_S = 3.0
TRUSTED_S = 30.0  # a scheduler that has answered is not asked again for so long
_answered: dict[str, float] = {}


class DaskDefiner(Definer):
    """Makes the definition of a job function that runs on a cluster."""

    def definition(self) -> jobs.NewDefinition:
        """Return the definition row of the code as it is now.

        Raises
        ------
        DefinitionError
            If it is not known which cluster is meant.
        ChutesError
            If the cluster does not answer.
        """
        check_answer(self.address())
        return super().definition()

    def address(self) -> str:
        """Return the scheduler's address: the chute's, or that of dask's own client."""
        found = self.chute.address or _current_client()
        if not found:
            raise DefinitionError(
                f'job {self.name} has executor="dask", and no scheduler is named: '
                'Chute(..., executor="dask", address="tcp://host:8786"), or make a '
                "distributed.Client first"
            )
        return found

    def told_options(self) -> dict[str, Any]:
        """Return the options, and the scheduler's address."""
        return super().told_options() | {"address": self.address()}

    def setup_facts(self) -> dict[str, Any]:
        """Return what is not the same as for a worker of this machine.

        The kernel's import path means nothing elsewhere; modules beside the notebook
        travel by value. The address is among it, so that another one is another row.
        """
        return {"path": [], "folder": "", "address": self.address()}


def _current_client() -> str | None:
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        return str(distributed.Client.current().scheduler.address)
    except ValueError:  # there is none
        return None


def check_answer(address: str) -> None:
    """Raise ChutesError where no scheduler can be at an address, or nobody listens."""
    place = urlsplit(address if "://" in address else f"tcp://{address}")
    if place.scheme in ("http", "https"):
        raise ChutesError(
            f"{address} is no address of a dask scheduler, but perhaps of its "
            "dashboard; tcp://host:8786 is wanted"
        )
    if place.scheme not in ("tcp", "tls"):
        return  # of another kind than a socket: dask itself will say
    if time.monotonic() - _answered.get(address, -TRUSTED_S) < TRUSTED_S:
        return
    try:
        host, port = place.hostname or "", place.port or 8786
        socket.create_connection((host, port), CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise ChutesError(
            f"no dask scheduler answers at {address} ({error}); is it running, and can "
            "this machine reach it?"
        ) from error
    _answered[address] = time.monotonic()
