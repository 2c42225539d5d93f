"""A payload from outside as the store keeps it, until a worker binds it."""

from __future__ import annotations

import json
from typing import Any

PAYLOAD = "payload"  # the kind of such an input


def body(arguments: dict[str, Any], files: dict[str, Any]) -> bytes:
    """Write a payload for a worker to bind.

    Parameters
    ----------
    arguments : dict of str to JSON value
        By parameter; a JSON schema has found nothing wrong with them.
    files : dict of str to (dict or list of dict)
        Files in the store by parameter: ``name``, ``size``, ``type``, ``sha256``.
    """
    return json.dumps({"arguments": arguments, "files": files}).encode()
