"""Every route with what it takes and answers: tornado's rules and OpenAPI's paths."""

from __future__ import annotations

import re
from typing import Any

from ..model import StatusInfo
from . import shapes
from .events import Changes, Events
from .files import File, Files, Zip
from .groups import Group, GroupAsked, GroupSnapshot
from .intents import Cancel, Extend, Retry
from .jobs import Job, Jobs, Logs, Snapshot, Status
from .metrics import Metrics, Schema
from .results import Partial, Results
from .route import Answer, Operation, Route
from .rows import Rows
from .submit import Submit
from .trace import Trace
from .uploading import KnownUpload, NewUpload

JSON = "application/json"
OCTETS = "application/octet-stream"


class JobOrName(Submit, Job):
    """``jobs/...``: the id of a job to look at, or the name of one to submit."""


ANY = "[^/]+"
# A chute of such a name is asked for as USERNAME-CHUTE: a job may be called "jobs".
NO_ROUTE = "(?!(?:jobs|schema|uploads)/)"
VALUES = {"n": "[0-9]{1,9}"}  # what a part of a path may be, where not anything
JOB = (400, 404)
JSON_OBJECT: dict[str, Any] = {"description": "The arguments, or the one open value."}
FORM: dict[str, Any] = {
    "type": "object",
    "description": "A field for each argument; files as files.",
    "additionalProperties": True,
}
NAMED = {"Idempotency-Key": ("Names this request; it is queued once.", False)}
TUS = {"Tus-Resumable": ("1.0.0", True)}
QUEUED = {202: Answer("Queued; Location has its status.", shapes.Accepted)}
ASKED = {202: Answer("Asked, and whether it still could be.", shapes.Intent)}

ROUTES = [
    Route(
        "jobs",
        Jobs,
        {
            "get": Operation(
                "Jobs, newest first",
                {200: Answer("A page.", shapes.Page)},
                query=shapes.JobsQuery,
                errors=JOB,
            )
        },
    ),
    Route(
        "jobs/{job}",
        JobOrName,
        {
            "post": Operation(
                "Submit a job by its name",
                QUEUED,
                query=shapes.SubmitQuery,
                bodies={JSON: JSON_OBJECT, "multipart/form-data": FORM},
                headers=NAMED,
                errors=(400, 404, 409, 413, 415, 422, 507),
            ),
            "get": Operation(
                "Everything about a job except its log",
                {200: Answer("The job.", shapes.Detail)},
                query=shapes.DetailQuery,
                errors=JOB,
            ),
            "delete": Operation(
                "Forget an ended job",
                {202: Answer("Forgotten.", shapes.Intent)},
                errors=(404, 409),
            ),
        },
    ),
    Route(
        "jobs/{job}/status",
        Status,
        {
            "get": Operation(
                "A job as it stands",
                {200: Answer("The job.", StatusInfo)},
                query=shapes.WaitQuery,
                errors=JOB,
            )
        },
    ),
    Route(
        "jobs/{job}/results",
        Results,
        {
            "get": Operation(
                "What a job returned",
                {
                    200: Answer("It has ended.", shapes.Results),
                    202: Answer("It has not ended.", shapes.Unfinished),
                },
                query=shapes.WaitQuery,
                errors=JOB,
            )
        },
    ),
    Route(
        "jobs/{job}/results/rows",
        Rows,
        {
            "get": Operation(
                "A page of a table that a job returned",
                {200: Answer("Rows.", shapes.RowsAnswer)},
                query=shapes.RowsQuery,
                errors=(*JOB, 410, 422),
            )
        },
    ),
    Route(
        "jobs/{job}/partial",
        Partial,
        {
            "get": Operation(
                "What a job has emitted so far",
                {200: Answer("Its partial results.", shapes.Partials)},
                errors=(404,),
            )
        },
    ),
    Route(
        "jobs/{job}/snapshot",
        Snapshot,
        {
            "get": Operation(
                "What a notebook keeps of a job: MIME types to their content",
                {200: Answer("Job MIME, HTML, text, result.", shapes.Snapshot)},
                errors=(404,),
            )
        },
    ),
    Route(
        "jobs/{job}/trace",
        Trace,
        {
            "get": Operation(
                "The life of a job as OpenTelemetry's spans",
                {200: Answer("OTLP as JSON.", shapes.Trace)},
                errors=(404,),
            )
        },
    ),
    Route(
        "jobs/{job}/logs",
        Logs,
        {
            "get": Operation(
                "What a job wrote",
                {
                    200: Answer(
                        "A stretch, or all as text.", shapes.LogPiece, "text/plain"
                    )
                },
                query=shapes.LogQuery,
                errors=JOB,
            )
        },
    ),
    Route(
        "jobs/{job}/files",
        Files,
        {
            "get": Operation(
                "Files that a job left",
                {200: Answer("Its files.", shapes.Files)},
                errors=(404,),
            )
        },
    ),
    Route(
        "jobs/{job}/files.zip",
        Zip,
        {
            "get": Operation(
                "All files of a job in one",
                {200: Answer("A zip.", media="application/zip")},
                errors=(404,),
            )
        },
    ),
    Route(
        "jobs/{job}/files/{n}",
        File,
        {
            "get": Operation(
                "One file",
                {
                    200: Answer("The file.", media=OCTETS),
                    206: Answer("The part asked for.", media=OCTETS),
                    304: Answer("As it is known."),
                },
                headers={"Range": ("One range of bytes.", False)},
                errors=(404, 410, 416),
            )
        },
    ),
    Route(
        "jobs/{job}/cancel",
        Cancel,
        {
            "post": Operation(
                "Cancel a job",
                ASKED,
                query=shapes.CancelQuery,
                errors=(400, 404, 413),
            )
        },
    ),
    Route(
        "jobs/{job}/retry",
        Retry,
        {
            "post": Operation(
                "Run an ended job again",
                QUEUED,
                body=shapes.Again,
                headers=NAMED,
                errors=(400, 404, 409, 413, 415, 422),
            )
        },
    ),
    Route(
        "jobs/{job}/extend",
        Extend,
        {
            "post": Operation(
                "Give a running attempt more time, or less",
                ASKED,
                body=shapes.Extension,
                errors=(400, 404, 413, 415),
            )
        },
    ),
    Route(
        "events",
        Events,
        {
            "get": Operation(
                "Every change, as server-sent events",
                {200: Answer("A stream.", media="text/event-stream")},
                query=shapes.EventsQuery,
                headers={"Last-Event-ID": ("Revision to go on from.", False)},
                errors=(400, 503),
            )
        },
        is_of_chute=False,
    ),
    Route(
        "group",
        Group,
        {
            "post": Operation(
                "What a notebook keeps of several jobs; changes nothing",
                {200: Answer("As far as they are known.", GroupSnapshot)},
                body=GroupAsked,
                errors=(400, 413, 415, 422),
            )
        },
        is_of_chute=False,
    ),
    Route(
        "changes",
        Changes,
        {
            "get": Operation(
                "What is newer than a revision",
                {200: Answer("Changes.", shapes.Changes)},
                query=shapes.ChangesQuery,
                errors=(400,),
            )
        },
        is_of_chute=False,
    ),
    Route(
        "uploads",
        NewUpload,
        {
            "post": Operation(
                "Begin an upload (tus 1.0)",
                {201: Answer("Begun; Location has its address.", media=JSON)},
                headers=TUS
                | {
                    "Upload-Length": ("Bytes.", True),
                    "Upload-Metadata": ("filename, filetype in base 64.", False),
                },
                errors=(400, 412, 413, 507),
            )
        },
        is_of_chute=False,
    ),
    Route(
        "uploads/{uid}",
        KnownUpload,
        {
            "head": Operation(
                "How much of an upload has come",
                {200: Answer("Upload-Offset has it.")},
                headers=TUS,
                errors=(404, 412),
            ),
            "patch": Operation(
                "The next piece of an upload",
                {204: Answer("Upload-Offset has where the next begins.")},
                bodies={"application/offset+octet-stream": {"type": "string"}},
                headers=TUS
                | {
                    "Upload-Offset": ("Where the piece begins.", True),
                    "Upload-Checksum": ("sha256 of the piece, base 64.", False),
                },
                errors=(400, 404, 409, 412, 413, 415, 423, 460, 507),
            ),
            "delete": Operation(
                "Forget an upload",
                {204: Answer("Forgotten.")},
                headers=TUS,
                errors=(404, 412),
            ),
        },
        is_of_chute=False,
    ),
    Route(
        "schema/{name}",
        Schema,
        {
            "get": Operation(
                "Parameters of a job as JSON schema",
                {200: Answer("A JSON schema.", media=JSON)},
                errors=(404, 409),
            )
        },
    ),
    Route(
        "metrics",
        Metrics,
        {
            "get": Operation(
                "Figures for Prometheus", {200: Answer("Text.", media="text/plain")}
            )
        },
        is_of_chute=False,
    ),
]


def patterns(route: Route) -> list[str]:
    """Give the regular expressions of a route below ``chutes/``.

    A slash at the end makes no difference, as with Jupyter's own routes.
    """
    steps = re.split(r"\{(\w+)\}", route.path)  # text and names, by turns
    steps[0::2] = map(re.escape, steps[0::2])
    steps[1::2] = [f"(?P<{name}>{VALUES.get(name, ANY)})" for name in steps[1::2]]
    path = "".join(steps)
    found = [f"/{path}/?"]
    if route.is_of_chute:
        found.append(f"/(?P<scope>{NO_ROUTE}{ANY})/{path}/?")
    return found
