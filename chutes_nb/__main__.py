"""The command line of ``python -m chutes_nb``."""

from __future__ import annotations

from .cli import main

main()
