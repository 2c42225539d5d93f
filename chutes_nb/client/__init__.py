"""A chute on another machine: the names of the local one, over the HTTP API."""

from .chute import RemoteChute, RemoteFunction
from .connecting import connect
from .files import RemoteFile, RemoteUpload
from .job import RemoteJob
from .results import InexactResult, RemoteResult

__all__ = [
    "InexactResult",
    "RemoteChute",
    "RemoteFile",
    "RemoteFunction",
    "RemoteJob",
    "RemoteResult",
    "RemoteUpload",
    "connect",
]
