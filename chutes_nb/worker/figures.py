"""matplotlib's backend in a worker: Agg, and ``plt.show`` keeps figures with the job.

matplotlib imports this by its name, so nothing else here may.
"""

from __future__ import annotations

from typing import Any

from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

from .showing import show_figures


class FigureManager(FigureManagerBase):
    """Shows figures by keeping them."""

    @classmethod
    def pyplot_show(cls, *, block: bool | None = None) -> None:
        """Keep all open figures with the job, and close them."""
        show_figures()

    def show(self) -> None:
        """Keep this figure with the job."""
        show_figures()


class FigureCanvas(FigureCanvasAgg):
    """Draws with Agg."""

    manager_class: Any = FigureManager
