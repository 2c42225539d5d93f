"""From the address that a person has to a chute that answers."""

from __future__ import annotations

import re
import ssl
from urllib.parse import parse_qs, urlsplit

from .chute import RemoteChute
from .flows import Ask, json_of
from .link import Link

# What Jupyter's pages and this API add to the address of the server.
PAGES = re.compile(r"/(lab|tree|notebooks|doc|edit|consoles|login|chutes)(/.*)?\Z")


def connect(
    url: str,
    token: str | None = None,
    chute: str | None = None,
    *,
    verify: bool | ssl.SSLContext = True,
    patience: float = 30.0,
) -> RemoteChute:
    """Reach a Jupyter Server's jobs; see :meth:`chutes_nb.Chute.connect`."""
    base, found = address_of(url)
    if not isinstance(token, str | None):
        raise TypeError(f"token={token!r}: the server's token is wanted, a text")
    if not isinstance(chute, str | None):
        raise TypeError(f"chute={chute!r}: the name of a chute is wanted")
    link = Link(base, found if token is None else token, verify, patience)
    try:
        link.run(json_of(Ask("GET", "changes"), 0.0))
    except BaseException:
        link.close()
        raise
    return RemoteChute(link, chute)


def address_of(url: str) -> tuple[str, str]:
    """Give the address of the API and the token that an address may have with it.

    Parameters
    ----------
    url : str
        Of the server, or of a page of it as a browser shows it.

    Raises
    ------
    ValueError
        If it is no address.
    """
    parts = urlsplit(url.strip()) if isinstance(url, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(
            f"url={url!r} is no address of a server; one looks like "
            "'http://127.0.0.1:8888/'"
        )
    path = PAGES.sub("", parts.path.rstrip("/"))
    token = parse_qs(parts.query).get("token", [""])[0]
    return f"{parts.scheme}://{parts.netloc}{path}/chutes/", token
