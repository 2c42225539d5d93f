"""``display`` and ``plt.show`` inside a job: pictures and pages stay as its files.

A worker has no front end. IPython and matplotlib are told so when a body imports them,
not before: most jobs need neither.
"""

from __future__ import annotations

import builtins
import importlib.abc
import importlib.machinery
import json
import os
import sys
import threading
import uuid
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from types import ModuleType
from typing import Any

from ..views import view
from . import bars
from .context import current

BACKEND = "module://chutes_nb.worker.figures"
MOST_SHOWN = 100  # displays of one attempt that are kept
ANEW_S = 1.0  # what is shown anew more often is kept when its time has come
# The first of these is kept of a bundle: the file's suffix, and whether it is base 64.
KEPT: dict[str, tuple[str, bool]] = {
    "image/png": ("png", True),
    "image/jpeg": ("jpg", True),
    "image/gif": ("gif", True),
    "image/svg+xml": ("svg", False),
    "application/pdf": ("pdf", True),
    "text/html": ("html", False),
    "text/markdown": ("md", False),
    "application/json": ("json", False),
}
Say = Callable[[str], object]  # takes a line for the log


class Showing:
    """Counts what one attempt has shown, and knows what is shown anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: dict[str, str] = {}
        self._due: dict[str, float] = {}
        self._held: dict[str, dict[str, Any]] = {}
        self._count = 0

    def holds(self, display_id: str, bundle: dict[str, Any]) -> bool:
        """Whether a display comes too soon after the last one under its id."""
        now = monotonic()
        with self._lock:
            self._held.pop(display_id, None)
            if now >= self._due.get(display_id, 0.0):
                self._due[display_id] = now + ANEW_S
                return False
            self._held[display_id] = bundle
            return True

    def show(self, bundle: dict[str, Any], display_id: str | None, say: Say) -> None:
        """Keep a display and say so in the log, unless it comes too soon."""
        if display_id is None or not self.holds(display_id, bundle):
            self._keep(bundle, display_id, say)

    def finish(self, say: Say) -> None:
        """Keep what was held back."""
        with self._lock:
            held, self._held = self._held, {}
        for display_id, bundle in held.items():
            self._keep(bundle, display_id, say)

    def name(self, display_id: str | None, suffix: str) -> str | None:
        """Name the file of a display; None where there are too many of them."""
        with self._lock:
            known = self._names.get(display_id) if display_id else None
            if known is not None:
                return known
            if self._count >= MOST_SHOWN:
                return None
            self._count += 1
            name = f"display-{self._count}.{suffix}"
            if display_id:
                self._names[display_id] = name
            return name

    def _keep(self, bundle: dict[str, Any], display_id: str | None, say: Say) -> None:
        text = str(bundle.get("text/plain", ""))
        run = current()
        mime = next((mime for mime in KEPT if mime in bundle), None)
        is_plain = mime == "application/json" and bool(text)  # a dict: all is in it
        if run is None or mime is None or is_plain:
            say(text)
            return
        suffix, is_base64 = KEPT[mime]
        name = self.name(display_id, suffix)
        if name is None:
            say(f"{text} (not kept: {MOST_SHOWN} displays are)")
            return
        run._run_outlet.keep_body(_body(bundle[mime], is_base64), name)
        say(f"{text} ({name})")


def _body(content: Any, is_base64: bool) -> bytes:
    if isinstance(content, bytes):  # a picture that no front end has asked for yet
        return content
    if not isinstance(content, str):
        content = json.dumps(content)
    return b64decode(content) if is_base64 else content.encode("utf-8", "replace")


_showing = Showing()


def begin() -> None:
    """Count anew: another attempt begins."""
    global _showing
    _showing = Showing()


def finish(result: object = None) -> None:
    """Keep what is still to be kept: the body has ended.

    Parameters
    ----------
    result : object
        Shown as the result; a figure that is left open is shown once.
    """
    _showing.finish(print)
    show_figures(besides=result)


class Shown:
    """What ``display(..., display_id=True)`` gives: it can be shown anew.

    Attributes
    ----------
    display_id : str
    """

    def __init__(self, display_id: str) -> None:
        self.display_id = display_id

    def display(self, obj: Any, **kwargs: Any) -> None:
        """Show an object under the same id."""
        display(obj, display_id=self.display_id, **kwargs)

    def update(self, obj: Any, **kwargs: Any) -> None:
        """Show an object in the place of the one that was shown."""
        display(obj, display_id=self.display_id, **kwargs)


def display(
    *objs: Any, raw: bool = False, display_id: Any = None, **_options: Any
) -> Shown | None:
    """Show objects: their text goes to the log, a picture or a page to the files.

    Takes what IPython's ``display`` takes.

    Parameters
    ----------
    raw : bool
        The objects are MIME bundles already.
    display_id : str or True, optional
        What is shown again under the same id takes the place of what was shown.
    """
    if display_id is True:
        display_id = uuid.uuid4().hex
    for one in objs:
        bundle = dict(one) if raw and isinstance(one, Mapping) else view(one)
        _showing.show(bundle, display_id, print)
    return Shown(display_id) if display_id else None


def update_display(obj: Any, *, display_id: str, **options: Any) -> None:
    """Show an object in the place of the one that was shown under this id."""
    display(obj, display_id=display_id, **options)


def publish_display_data(
    data: Mapping[str, Any], *, transient: Mapping[str, Any] | None = None, **_: Any
) -> None:
    """Show a MIME bundle."""
    display(dict(data), raw=True, display_id=(transient or {}).get("display_id"))


def show_figures(besides: object = None) -> None:
    """Show the figures that are open in pyplot and close them, as a cell does.

    Parameters
    ----------
    besides : object
        A figure that is not to be shown: it is the result.
    """
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    try:
        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            if figure is not besides and figure.axes:
                display(figure)
    finally:
        pyplot.close("all")


# -- imports ---------------------------------------------------------------------
def _mend_ipython(module: ModuleType) -> None:
    for name in ("display", "update_display", "publish_display_data"):
        setattr(module, name, globals()[name])


def _mend_matplotlib(module: ModuleType) -> None:
    # Who has chosen a backend of their own keeps it.
    if os.environ.get("MPLBACKEND", "agg") == "agg":
        module.rcParams["backend"] = BACKEND


MENDED: dict[str, Callable[[ModuleType], None]] = {
    "IPython.core.display_functions": _mend_ipython,
    "matplotlib": _mend_matplotlib,
    bars.MODULE: bars.mend,
}


class Finder(importlib.abc.MetaPathFinder):
    """Does something after a module was imported, and is else not there.

    Parameters
    ----------
    mended : mapping of module name to callable
        What is done to a module.
    """

    def __init__(self, mended: Mapping[str, Callable[[ModuleType], None]]) -> None:
        self._mended = mended

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Find one of the modules that are mended, as the path would."""
        if fullname not in self._mended:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = Loader(spec.loader, self._mended[fullname])
        return spec


class Loader(importlib.abc.Loader):
    """Loads a module as another loader would, then mends it."""

    def __init__(self, loader: Any, mend: Callable[[ModuleType], None]) -> None:
        self._loader, self._mend = loader, mend

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """Make the module."""
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code, then mend it."""
        self._loader.exec_module(module)
        self._mend(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)  # get_data, get_source, ...


def install() -> None:
    """Make ``display`` a builtin, as in a notebook, and wait for imports."""
    builtins.display = display  # type: ignore[attr-defined]
    sys.meta_path.insert(0, Finder(MENDED))
