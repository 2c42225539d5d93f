"""``serve``: the HTTP API by a Jupyter Server that serves nothing else."""

from __future__ import annotations

import os
import signal
from typing import Annotated, Any
from urllib.parse import quote

import typer
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join

from .exits import UNUSABLE, complain
from .naming import AsJson
from .printing import say_json

PORT = 8890
EXTENSION = "chutes_nb"


class ApiServer(ServerApp):
    """Jupyter Server with the API alone: no kernels, files, terminals or pages.

    Who may come in is settled by Jupyter's own settings: token, password, login.
    """

    # Login and the like; and `api`, by which clients ask whether a server is there.
    default_services = ("api", "auth", "security")  # type: ignore[assignment]
    is_told_as_json = False

    def init_server_extensions(self) -> None:
        """Load this package's extension, whatever else is enabled."""
        self.jpserver_extensions = {EXTENSION: True}
        super().init_server_extensions()

    def init_signal(self) -> None:
        """End at the first Ctrl-C, with no question asked."""
        super().init_signal()
        signal.signal(signal.SIGINT, self._signal_stop)

    def start_app(self) -> None:
        """Say where the API is, once somebody listens."""
        if not self.allow_root and hasattr(os, "geteuid") and os.geteuid() == 0:
            complain("Jupyter Server does not run as root; --allow-root lets it")
            raise typer.Exit(UNUSABLE)
        self.write_server_info_file()
        url = url_path_join(self.connection_url, "chutes/")
        token = self.identity_provider.token
        if self.is_told_as_json:
            say_json({"url": url, "token": token, "pid": os.getpid()})
            return
        typer.echo(f"API     {url}")
        typer.echo(f"token   {token or '(none: your Jupyter settings say who may)'}")
        header = f' -H "Authorization: token {token}"' if token else ""
        typer.echo(f"try     curl{header} {url}jobs")
        typer.echo("Ctrl-C ends the server; jobs go on.")


def _path(text: str) -> str:
    """Return a path as a URL may have it."""
    if quote(text, safe="/%!$&'()*+,;=:@~") != text:
        raise typer.BadParameter(
            f"{text!r} has a character that no path of a URL has; write it as "
            f"{quote(text)!r}"
        )
    return text


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 is any.")] = PORT,
    ip: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    base_url: Annotated[
        str, typer.Option(help="Path in front of chutes/.", callback=_path)
    ] = "/",
    allow_root: Annotated[
        bool, typer.Option("--allow-root", help="Run as root all the same.")
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- SETTINGS]",
            help="Jupyter's, such as -- --ServerApp.certfile=cert.pem.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve the HTTP API without JupyterLab: no kernels, no files, no pages.

    Every request needs the token that is printed (JUPYTER_TOKEN sets one).
    """
    ApiServer.is_told_as_json = as_json
    options: dict[str, Any] = {
        "ServerApp.ip": ip,
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.base_url": base_url,
        "ServerApp.allow_root": allow_root,
        "ServerApp.log_level": "WARN",
        "ServerApp.open_browser": False,
        "ServerApp.reraise_server_extension_failures": True,
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    app = ApiServer.instance()
    try:
        app.initialize([*arguments, *(settings or ())], find_extensions=False)
        app.start()
    except SystemExit as error:  # how Jupyter says that it cannot
        raise typer.Exit(UNUSABLE if error.code else 0) from None
