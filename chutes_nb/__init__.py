"""Background jobs for notebooks: submit, go on working, find them again."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Name to module: loaded when first asked for, since every worker process imports
# this package and must start fast.
_PLACES = {
    **dict.fromkeys(
        (
            "AccessDenied",
            "AmbiguousName",
            "AttemptNotFound",
            "BindingError",
            "CaptureTooLarge",
            "ChutesError",
            "CodeUnchanged",
            "DefinitionError",
            "JobCancelled",
            "JobEnded",
            "JobFailed",
            "JobInterrupted",
            "JobNotFound",
            "JobNotReady",
            "FileTooLarge",
            "JobTimeout",
            "KernelGone",
            "MoveRefused",
            "NotAvailable",
            "PermanentError",
            "ResultNotStorable",
            "ServerError",
            "ServerUnreachable",
            "StoreBusy",
            "StoreDamaged",
            "StoreError",
            "StoreFull",
            "StoreReadOnly",
            "StoreTooNew",
            "StoreUnsafe",
            "TemporaryError",
            "UnknownName",
            "ValidationFailed",
        ),
        "errors",
    ),
    **dict.fromkeys(
        (
            "ChecksumWrong",
            "UploadBusy",
            "UploadConflict",
            "UploadError",
            "UploadNotFound",
            "UploadTooLarge",
        ),
        "uploads",
    ),
    **dict.fromkeys(
        (
            "checkpoint",
            "emit",
            "log",
            "progress",
            "restore",
            "save_file",
            "stage",
            "track",
        ),
        "worker.verbs",
    ),
    **dict.fromkeys(("InexactResult", "RemoteChute", "RemoteJob"), "client"),
    "CaptureWarning": "pickling",
    "Chute": "chute",
    "Job": "job",
    "JobFile": "job_files",
    "JobFunction": "job_function",
    "JobGroup": "group",
    "JobOptions": "options",
    "PlatformOptionNote": "options",
    "Progress": "model",
    "State": "states",
    "StatusInfo": "model",
    "TightTimeoutWarning": "remarks",
    "UploadedFile": "files_in",
    "configure": "runtime",
    "export_db": "upkeep",
    "get_job": "chute",
    "last_chute": "chute",
    "prune": "upkeep",
}
_RENAMED = {"jobs": ("group", "list_jobs"), "counts": ("chute", "counts")}

__all__ = ["__version__", *sorted([*_PLACES, *_RENAMED])]


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        module, found = _RENAMED[name]
    elif name in _PLACES:
        module, found = _PLACES[name], name
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{module}", __name__), found)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Tell Jupyter Server where the HTTP API is; nothing is imported for it."""
    return [{"module": "chutes_nb.server"}]


def load_ipython_extension(ipython: Any) -> None:
    """Answer ``%load_ext chutes_nb``: magics, and the jobs of dead kernels go on."""
    from . import extension

    extension.load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Answer ``%unload_ext chutes_nb``: let the executor go; running jobs go on."""
    from . import extension

    extension.unload(ipython)


if TYPE_CHECKING:
    from .chute import Chute as Chute
    from .chute import counts as counts
    from .chute import get_job as get_job
    from .chute import last_chute as last_chute
    from .group import list_jobs

    jobs = list_jobs
    from .client import InexactResult as InexactResult
    from .client import RemoteChute as RemoteChute
    from .client import RemoteJob as RemoteJob
    from .errors import AccessDenied as AccessDenied
    from .errors import AmbiguousName as AmbiguousName
    from .errors import BindingError as BindingError
    from .errors import CaptureTooLarge as CaptureTooLarge
    from .errors import ChutesError as ChutesError
    from .errors import CodeUnchanged as CodeUnchanged
    from .errors import DefinitionError as DefinitionError
    from .errors import FileTooLarge as FileTooLarge
    from .errors import JobCancelled as JobCancelled
    from .errors import JobEnded as JobEnded
    from .errors import JobFailed as JobFailed
    from .errors import JobInterrupted as JobInterrupted
    from .errors import JobNotFound as JobNotFound
    from .errors import JobNotReady as JobNotReady
    from .errors import JobTimeout as JobTimeout
    from .errors import KernelGone as KernelGone
    from .errors import MoveRefused as MoveRefused
    from .errors import NotAvailable as NotAvailable
    from .errors import PermanentError as PermanentError
    from .errors import ResultNotStorable as ResultNotStorable
    from .errors import ServerError as ServerError
    from .errors import ServerUnreachable as ServerUnreachable
    from .errors import StoreBusy as StoreBusy
    from .errors import StoreDamaged as StoreDamaged
    from .errors import StoreError as StoreError
    from .errors import StoreFull as StoreFull
    from .errors import StoreReadOnly as StoreReadOnly
    from .errors import StoreTooNew as StoreTooNew
    from .errors import StoreUnsafe as StoreUnsafe
    from .errors import TemporaryError as TemporaryError
    from .errors import UnknownName as UnknownName
    from .errors import ValidationFailed as ValidationFailed
    from .files_in import UploadedFile as UploadedFile
    from .group import JobGroup as JobGroup
    from .job import Job as Job
    from .job_files import JobFile as JobFile
    from .job_function import JobFunction as JobFunction
    from .model import Progress as Progress
    from .model import StatusInfo as StatusInfo
    from .options import JobOptions as JobOptions
    from .options import PlatformOptionNote as PlatformOptionNote
    from .pickling import CaptureWarning as CaptureWarning
    from .remarks import TightTimeoutWarning as TightTimeoutWarning
    from .runtime import configure as configure
    from .states import State as State
    from .upkeep import export_db as export_db
    from .upkeep import prune as prune
    from .uploads import ChecksumWrong as ChecksumWrong
    from .uploads import UploadBusy as UploadBusy
    from .uploads import UploadConflict as UploadConflict
    from .uploads import UploadError as UploadError
    from .uploads import UploadNotFound as UploadNotFound
    from .uploads import UploadTooLarge as UploadTooLarge
    from .worker.verbs import checkpoint as checkpoint
    from .worker.verbs import emit as emit
    from .worker.verbs import log as log
    from .worker.verbs import progress as progress
    from .worker.verbs import restore as restore
    from .worker.verbs import save_file as save_file
    from .worker.verbs import stage as stage
    from .worker.verbs import track as track
