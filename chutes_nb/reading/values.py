"""What reading a job's output gives: frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ProgressRead:
    """How far the output says the job is.

    Attributes
    ----------
    done, total : float or None
        Count so far and count in all, in ``unit``; ``done <= total``.
    fraction : float or None
        Share done, 0 to 1; None where the total is not known.
    message : str or None
        What the line says beside the numbers, at most 120 characters.
    unit : str or None
        The word for what is counted, as printed (``items``, ``MB``, ``it``).
    """

    done: float | None = None
    total: float | None = None
    fraction: float | None = None
    message: str | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """One point of a curve; ``value`` is always finite.

    Attributes
    ----------
    name : str
        As printed (``Loss``, ``val_loss``, ``valid_0's l2``).
    step : int or float or None
        Where on the x axis; a float inside an epoch (2.45: epoch 3 at 45 %).
    value : float
    """

    name: str
    step: float | int | None
    value: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What one piece of output added.

    Attributes
    ----------
    progress : ProgressRead or None
        The newest progress in it; None where it told of none.
    metrics : list of Metric
        In the order in which they were printed.
    """

    progress: ProgressRead | None = None
    metrics: list[Metric] = field(default_factory=list)
