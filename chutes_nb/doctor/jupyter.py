"""Jupyter Server's settings, and whether the extensions of both sides are enabled."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_config_path, jupyter_path
from traitlets.config import Config
from traitlets.config.loader import (
    ConfigFileNotFound,
    JSONFileConfigLoader,
    PyFileConfigLoader,
)

from ..wording import duration
from .findings import NOTE, OK, PROBLEM, Finding

CONFIG_NAMES = ("jupyter_config", "jupyter_server_config", "jupyter_lab_config")
SERVER_EXTENSION, LAB_EXTENSION = "chutes_nb", "chutes-nb"
KERNEL_MANAGERS = ("MappingKernelManager", "AsyncMappingKernelManager")
SOCKETS = (
    *("ServerApp", "NotebookApp", "LabApp"),
    *("ZMQChannelsWebsocketConnection", "BaseKernelWebsocketConnection"),
)
LEAST_MESSAGES, LEAST_BYTES = 200, 250_000  # a second; what cards of busy jobs take
MOST_PING_S = 60


def findings() -> Iterator[Finding]:
    """Look at what `jupyter lab` would read if it was started from here."""
    config, faults = _config()
    yield from _extension(config)
    for text in faults:
        yield Finding("settings", PROBLEM, text, "mend the file, or remove it")
    yield from _culling(config)
    yield from _sockets(config)
    yield from _front_end()


# -- settings --------------------------------------------------------------------------
def _config() -> tuple[Config, list[str]]:
    """Read the configuration as Jupyter does: what is nearer to the user counts."""
    config, faults = Config(), []
    for folder in reversed(jupyter_config_path()):
        for name in CONFIG_NAMES:
            for loader in (
                PyFileConfigLoader(f"{name}.py", path=folder),
                JSONFileConfigLoader(f"{name}.json", path=folder),
            ):
                try:
                    config.merge(loader.load_config())
                except ConfigFileNotFound:
                    continue
                except Exception as error:  # the file is Python of the user's
                    path = os.path.join(folder, loader.filename)
                    faults.append(f"{path} cannot be read: {error!r}"[:300])
    return config, faults


def _setting(config: Config, classes: tuple[str, ...], name: str) -> Any:
    for kind in classes:
        if kind in config and name in config[kind]:
            return config[kind][name]
    return None


def _culling(config: Config) -> Iterator[Finding]:
    limit = _setting(config, KERNEL_MANAGERS, "cull_idle_timeout")
    if not isinstance(limit, int | float) or limit <= 0:
        yield Finding("culling", OK, "idle kernels are left alone")
    else:
        busy = _setting(config, KERNEL_MANAGERS, "cull_busy")
        which = "kernels, also busy ones," if busy else "idle kernels"
        yield Finding(
            "culling",
            NOTE,
            f"{which} are ended after {duration(limit)}; jobs go on without their "
            'kernel, those with executor="kernel" end with it',
            "c.MappingKernelManager.cull_idle_timeout = 0 in jupyter_server_config.py",
        )
    quiet = _setting(config, SOCKETS, "shutdown_no_activity_timeout")
    if isinstance(quiet, int | float) and quiet > 0:
        yield Finding(
            "culling",
            NOTE,
            f"the server ends itself after {duration(quiet)} with nothing to do; a "
            "page that looks on is no activity. Jobs go on",
            "c.ServerApp.shutdown_no_activity_timeout = 0",
        )


def _sockets(config: Config) -> Iterator[Finding]:
    found = []
    if _setting(config, SOCKETS, "limit_rate") is not False:
        for name, least in (
            ("iopub_msg_rate_limit", LEAST_MESSAGES),
            ("iopub_data_rate_limit", LEAST_BYTES),
        ):
            value = _setting(config, SOCKETS, name)
            if isinstance(value, int | float) and 0 < value < least:
                text = f"{name} is {value:g}: cards of busy jobs would lose messages"
                fix = f"c.ZMQChannelsWebsocketConnection.{name} = {least} or more"
                found.append(Finding("websocket", PROBLEM, text, fix))
    ping = _setting(config, SOCKETS, "websocket_ping_interval")
    if isinstance(ping, int | float) and ping > MOST_PING_S:
        text = f"pings come each {ping:g} s; proxies hang up on quiet pages before that"
        fix = "c.ServerApp.websocket_ping_interval = 30"
        found.append(Finding("websocket", NOTE, text, fix))
    yield from found or [
        Finding("websocket", OK, "limits and pings are good for cards")
    ]


# -- extensions ------------------------------------------------------------------------
def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _extension(config: Config) -> Iterator[Finding]:
    """Look whether Jupyter Server would load the HTTP API."""
    # What a configuration file says counts before what packages have dropped in.
    told: list[dict[str, Any]] = [config]
    for folder in map(Path, jupyter_config_path()):
        paths = sorted((folder / "jupyter_server_config.d").glob("*.json"))
        told += [_json(path) for path in reversed(paths)]
    enabled = next((is_on for one in told if (is_on := _is_on(one)) is not None), None)
    if enabled:
        yield Finding("server", OK, "the HTTP API is enabled")
        return
    how = "not enabled" if enabled is None else "disabled"
    yield Finding(
        "server",
        PROBLEM,
        f"the HTTP API is {how} for Jupyter Server of {sys.prefix}",
        "jupyter server extension enable chutes_nb",
    )


def _is_on(told: dict[str, Any]) -> bool | None:
    section = told.get("ServerApp", {})
    extensions = section.get("jpserver_extensions", {})
    if not isinstance(extensions, dict) or SERVER_EXTENSION not in extensions:
        return None
    return bool(extensions[SERVER_EXTENSION])


def _front_end() -> Iterator[Finding]:
    """Look whether JupyterLab would load the extension, and whether it is this one."""
    places = [Path(one) / LAB_EXTENSION for one in jupyter_path("labextensions")]
    package = next((one for one in places if (one / "package.json").exists()), None)
    if package is None:
        yield Finding(
            "front end",
            PROBLEM,
            "JupyterLab has no extension chutes-nb here: no sidebar, and cards need "
            "their kernel",
            "pip install --force-reinstall chutes-nb, in JupyterLab's environment",
        )
        return
    own, found = version("chutes-nb"), str(_json(package / "package.json")["version"])
    disabled = _disabled()
    if disabled:
        yield Finding(
            "front end",
            PROBLEM,
            f"JupyterLab's extension is disabled ({', '.join(disabled)})",
            "jupyter labextension enable chutes-nb",
        )
    elif found != own:
        yield Finding(
            "front end",
            PROBLEM,
            f"JupyterLab's extension is of version {found}, this is {own}: {package}",
            "install the same version in both environments, and reload the page",
        )
    else:
        yield Finding("front end", OK, f"JupyterLab's extension is enabled ({found})")


def _disabled() -> list[str]:
    """Plugins of the extension that a page's configuration turns off."""
    folders = [Path(one) / "labconfig" for one in jupyter_config_path()]
    folders.append(Path(sys.prefix) / "share" / "jupyter" / "lab" / "settings")
    turned: dict[str, bool] = {}
    for folder in reversed(folders):
        told = _json(folder / "page_config.json").get("disabledExtensions", {})
        turned |= dict.fromkeys(told, True) if isinstance(told, list) else told
    return [
        name
        for name, is_off in turned.items()
        if is_off and name.partition(":")[0] == LAB_EXTENSION
    ]
