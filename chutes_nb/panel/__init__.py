"""What a notebook shows of jobs; it only reads the store and writes intents."""

from __future__ import annotations

from .actions import Actions, StoreActions
from .board import JobsPanel
from .card import JobCard, card_bundle
from .form import FormLine, RunForm
from .static_form import FORM_MIME

__all__ = [
    "FORM_MIME",
    "Actions",
    "FormLine",
    "JobCard",
    "JobsPanel",
    "RunForm",
    "StoreActions",
    "card_bundle",
]
