"""Requests and answers of the API as pydantic models; the OpenAPI is made of these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..model import StatusInfo
from ..snapshots import JOB_MIME, RESULT_MIME
from ..spans import MOST_SPAN_S
from ..states import State

MOST_SQL_INTEGER = (1 << 63) - 1
MOST_WAIT_S = 60.0

Revision = Annotated[int, Field(ge=0, le=MOST_SQL_INTEGER)]
Wait = Annotated[float, Field(ge=0, le=MOST_WAIT_S, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=1000)]


# -- what is asked -------------------------------------------------------------
class NoQuery(BaseModel):
    """A request without parameters."""


class JobsQuery(BaseModel):
    """Which jobs are wanted, newest first."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    before: Annotated[int, Field(ge=1, le=MOST_SQL_INTEGER)] | None = None
    status: list[State] = []
    name: Text | None = None
    tag: Text | None = None
    notebook: Text | None = None
    q: Text | None = None
    order: Literal["newest", "oldest", "name", "longest"] = "newest"
    attempts: bool = False


class WaitQuery(BaseModel):
    """How long to wait: for the end, or for what is newer than a revision."""

    wait: Wait = 0.0
    since: Revision | None = None


class DetailQuery(WaitQuery):
    """As for a status, and how many points of each metric are wanted at most."""

    points: Annotated[int, Field(ge=2, le=1_000_000)] | None = None


class LogQuery(BaseModel):
    """Which part of a log is wanted; offsets are bytes.

    There is one whole character at least, also where ``limit`` has no room for it.
    """

    attempt: Annotated[int, Field(ge=1, le=1 << 31)] | None = None
    offset: Annotated[int, Field(ge=0, le=MOST_SQL_INTEGER)] = 0
    limit: Annotated[int, Field(ge=1, le=1 << 20)] = 1 << 16
    tail: Annotated[int, Field(ge=0, le=100_000)] | None = None
    numbered: bool = False
    download: bool = False


class RowsQuery(BaseModel):
    """Which rows of a table are wanted: all, or those that hold a text, in an order.

    ``sort`` is the number of a column, ``down`` its order; empty cells come last.
    """

    offset: Annotated[int, Field(ge=0, le=MOST_SQL_INTEGER)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    q: Text | None = None
    sort: Annotated[int, Field(ge=0, le=1000)] | None = None
    down: bool = False


class ChangesQuery(BaseModel):
    """From which revision on (none: where it begins), and how long to wait for it."""

    since: Revision | None = None
    wait: Wait = 0.0


class EventsQuery(BaseModel):
    """From which revision on; from now on where nothing is said."""

    since: Revision | None = None


class SubmitQuery(BaseModel):
    """Which job may be given back instead of a new one; whose result is the payload."""

    after: Text | None = None
    reuse: bool | None = None
    key: Annotated[str, Field(min_length=1, max_length=1000)] | None = None


class CancelQuery(BaseModel):
    """On which page of ours somebody asked for the end of a job, if on any."""

    by: Literal["card", "list"] | None = None


class Extension(BaseModel):
    """More time for a running attempt; less where it is below 0."""

    model_config = ConfigDict(extra="forbid")

    seconds: Annotated[
        float,
        Field(ge=-MOST_SPAN_S, le=MOST_SPAN_S, allow_inf_nan=False),
    ]


class Again(BaseModel):
    """How an ended job is run again; "edited" is what is current, or a refusal."""

    model_config = ConfigDict(extra="forbid")

    resume: bool = True
    code: Literal["same", "current", "edited"] = "same"


# -- what is answered ----------------------------------------------------------
class Fault(BaseModel):
    """One thing that is wrong with a request."""

    loc: list[str | int]
    msg: str
    type: str


class ErrorAnswer(BaseModel):
    """What every error says."""

    type: str
    message: str
    details: list[Fault]


class Problem(BaseModel):
    """The shape of every error."""

    error: ErrorAnswer


class Accepted(BaseModel):
    """A job that was queued."""

    job_id: str
    status: State


class Intent(BaseModel):
    """What was asked of a job, and whether it still could be."""

    job_id: str
    status: State
    accepted: bool


class Span(BaseModel):
    """When an attempt ran."""

    number: int
    started_at: float
    finished_at: float | None
    status: State


class Page(BaseModel):
    """Jobs, the cursor of the next page, and how many there are of each state.

    ``attempts`` is there where it was asked for: when those of each job ran.
    """

    jobs: list[StatusInfo]
    next: int | None
    counts: dict[str, int]
    attempts: dict[str, list[Span]] | None = None


class Move(BaseModel):
    """A job went from one state to the next."""

    model_config = ConfigDict(populate_by_name=True)

    rev: int
    job_id: str
    source: Annotated[State | None, Field(alias="from")]
    to: State
    at: float
    attempt: int
    reason: str | None


class Changes(BaseModel):
    """What is newer than a revision; ``more`` where the next call has the rest."""

    rev: int
    jobs: list[StatusInfo]
    moves: list[Move]
    more: bool


class AttemptAnswer(BaseModel):
    """One attempt of a job."""

    number: int
    started_at: float
    finished_at: float | None
    status: State
    error: dict[str, Any] | None
    reason: str | None


class FileAnswer(BaseModel):
    """A file that a job left."""

    n: int
    name: str
    size: int
    type: str
    sha256: str


class Files(BaseModel):
    """All files of a job."""

    files: list[FileAnswer]


class StageAnswer(BaseModel):
    """A stage that a job came to."""

    attempt: int
    name: str
    at: float


class CheckpointAnswer(BaseModel):
    """Which attempt and step a job's newest checkpoint is of."""

    attempt: int
    step: float | None
    at: float


class ResultView(BaseModel):
    """What a result looks like: a MIME bundle."""

    type: str
    exact: bool
    view: dict[str, Any]


class Detail(BaseModel):
    """Everything a card shows of a job except its log."""

    status: StatusInfo
    attempts: list[AttemptAnswer]
    moves: list[Move]
    inputs: Any
    after: str | None
    source: str
    source_first_line: int
    state: dict[str, Any]
    metrics: dict[str, list[tuple[float | None, float | None]]]
    stages: list[StageAnswer]
    checkpoint: CheckpointAnswer | None
    files: list[FileAnswer]
    result: ResultView | None


class EndError(BaseModel):
    """Why a job has no result."""

    type: str
    message: str
    traceback: str
    reason: str | None


class Column(BaseModel):
    """A column of a table."""

    name: str
    type: Literal["number", "boolean", "time", "text"]


class RowsAnswer(BaseModel):
    """Rows of a table; how many were found, are kept, and were there in all."""

    columns: list[Column]
    rows: list[list[Any]]
    offset: int
    found_rows: int
    kept_rows: int
    total_rows: int


class Results(BaseModel):
    """What a job returned; ``exact`` where the JSON says all there is to say."""

    job_id: str
    status: State
    result: Any
    exact: bool
    type: str | None
    view: dict[str, Any] | None
    error: EndError | None


class PartialResult(BaseModel):
    """One partial result; its value is JSON, or null where that could not say it."""

    value: Any
    exact: bool


class Partials(BaseModel):
    """What a job has emitted, in order."""

    partial: list[PartialResult]


class JobDocument(BaseModel):
    """The job MIME: a job as it stood, and the last lines of its log."""

    version: Literal[1]
    job: StatusInfo
    tail: list[str]


class Snapshot(BaseModel):
    """What a notebook keeps of a job."""

    job: JobDocument = Field(alias=JOB_MIME)
    html: str = Field(alias="text/html")
    text: str = Field(alias="text/plain")
    result: ResultView | None = Field(None, alias=RESULT_MIME)


class Trace(BaseModel):
    """Spans as OTLP has them in JSON."""

    resourceSpans: list[dict[str, Any]]  # noqa: N815 - the name that OTLP gives it


class Unfinished(BaseModel):
    """A job that has no result yet."""

    job_id: str
    status: Literal[State.QUEUED, State.RUNNING, State.RETRYING]


class LogPiece(BaseModel):
    """A stretch of a log; offsets and ``skipped`` are bytes.

    ``line`` is there where ``numbered`` asked for it: how many lines ended before the
    text in all the output, null where nobody counted them.
    """

    attempt: int
    offset: int
    next_offset: int
    text: str
    end: bool
    skipped: int
    line: int | None = None
