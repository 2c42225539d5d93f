"""IPython's shell, where this process has one. Imports nothing for it."""

from __future__ import annotations

import sys
from typing import Any

_HOME = "IPython.core.interactiveshell"


def current_shell() -> Any:
    """Return the shell; None in a process that is no notebook and no terminal of it.

    ``IPython.get_ipython`` looks its parts up anew each time, and every submit asks.
    """
    home = sys.modules.get(_HOME)
    kind = getattr(home, "InteractiveShell", None)
    return kind.instance() if kind is not None and kind.initialized() else None


def current_cell(shell: Any) -> int:
    """Return the number at the prompt of the cell that runs.

    IPython's own count moves on before a cell or behind it, as the version has it. What
    is kept as input ends with this cell in all of them, where cells are numbered.
    """
    seen = len(shell.history_manager.input_hist_parsed) - 1
    return seen if seen > 0 else int(shell.execution_count)
