"""``POST group``: several jobs at once, for the table of them in a notebook."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..group_snapshot import MOST_IDS, stored_group
from ..model import StatusInfo
from ..snapshots import GROUP_MIME
from .base import ChutesHandler
from .intents import SMALL_BODY_BYTES
from .shapes import MOST_SQL_INTEGER

Id = Annotated[str, Field(min_length=1, max_length=100)]


class GroupAsked(BaseModel):
    """Which jobs are meant, in order, and how many there are in all."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_IDS)]
    of: Annotated[int, Field(ge=0, le=MOST_SQL_INTEGER)] | None = None


class GroupDocument(BaseModel):
    """The group MIME: which jobs, and how those stood whose rows are shown.

    ``at`` is when that was, in seconds since 1970; null where all had ended.
    """

    version: Literal[1]
    ids: list[str]
    total: int
    of: int | None
    counts: dict[str, int]
    inputs: dict[str, str]
    jobs: list[StatusInfo]
    at: int | None


class GroupSnapshot(BaseModel):
    """What a notebook keeps of several jobs."""

    group: GroupDocument = Field(alias=GROUP_MIME)
    html: str = Field(alias="text/html")
    text: str = Field(alias="text/plain")


class Group(ChutesHandler):
    """``POST group``."""

    body_limit: ClassVar[int] = 4 * SMALL_BODY_BYTES
    # Ids do not fit into an address; whoever may look may ask for them.
    action: ClassVar[str | None] = "read"

    async def post(self) -> None:
        """Answer the jobs as far as they are known."""
        asked = GroupAsked.model_validate(self.json_body())
        self.answer(await self.read(stored_group, asked.ids, asked.of))
