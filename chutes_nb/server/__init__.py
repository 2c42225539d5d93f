"""The HTTP API: an extension of Jupyter Server that knows the store alone."""

from __future__ import annotations

import atexit
import logging
from typing import Any

from jupyter_server.utils import url_path_join
from tornado.ioloop import PeriodicCallback

from .base import ChutesHandler, NoSuchRoute
from .desk import SWEEP_S, Desk
from .openapi import OpenApi
from .routes import ROUTES, patterns

__all__ = ["ChutesHandler", "rules"]


def rules(base_url: str, desk: Desk) -> list[tuple[Any, ...]]:
    """Return tornado's rules of the whole API.

    Parameters
    ----------
    base_url : str
        Jupyter's own, with slashes round it.
    desk : Desk
        What the handlers share.
    """
    base = url_path_join(base_url, "chutes")
    found: list[tuple[str, type[ChutesHandler]]] = [(r"/openapi\.json/?", OpenApi)]
    found += [(one, route.handler) for route in ROUTES for one in patterns(route)]
    found.append((r"(?:/.*)?", NoSuchRoute))
    given = {"desk": desk}
    return [(base + pattern, handler, given) for pattern, handler in found]


def _load_jupyter_server_extension(serverapp: Any) -> None:
    """Answer Jupyter Server, which found this module by its configuration."""
    desk = Desk(is_verbose=serverapp.log_level <= logging.DEBUG)
    atexit.register(desk.close)
    serverapp.web_app.add_handlers(".*$", rules(serverapp.base_url, desk))
    sweeping = PeriodicCallback(desk.sweep, SWEEP_S * 1000)
    serverapp.io_loop.call_later(1.0, sweeping.start)
    serverapp.log.info("chutes_nb serves %schutes/", serverapp.base_url)
