"""What a notebook shows of jobs; it only reads the store and writes intents."""

from __future__ import annotations

from .actions import Actions, StoreActions
from .board import JobsPanel
from .card import JobCard, card_bundle
from .static import JOB_MIME, JOBS_MIME, one_line, static_card

__all__ = [
    "JOBS_MIME",
    "JOB_MIME",
    "Actions",
    "JobCard",
    "JobsPanel",
    "StoreActions",
    "card_bundle",
    "one_line",
    "static_card",
]
