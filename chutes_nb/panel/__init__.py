"""What a notebook shows of jobs; it only reads the store and writes intents."""

from __future__ import annotations

from .actions import Actions, StoreActions
from .board import JobsPanel
from .card import JobCard, card_bundle
from .form import FormLine, RunForm
from .static import JOB_MIME, JOBS_MIME, one_line, static_card
from .static_form import FORM_MIME

__all__ = [
    "FORM_MIME",
    "JOBS_MIME",
    "JOB_MIME",
    "Actions",
    "FormLine",
    "JobCard",
    "JobsPanel",
    "RunForm",
    "StoreActions",
    "card_bundle",
    "one_line",
    "static_card",
]
