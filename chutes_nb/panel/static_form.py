"""The run form of a job as text that needs no kernel: HTML, one line, its MIME."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from ..snapshots import CARD, LINE, ROW, SOFT
from ..wording import span

FORM_MIME = "application/vnd.chutes.form+json"
MOST_DEFAULT = 80  # characters of a default that are shown
GRID = (
    "display:grid;grid-template-columns:minmax(90px,max-content) 1fr;gap:4px 14px;"
    f"{ROW};border-top:{LINE}"
)

_FORMATS = {
    "date": "date",
    "date-time": "date and time",
    "time": "time",
    "duration": "span of time",
    "binary": "file",
    "path": "path",
    "password": "secret text",
}
_TYPES = {
    "integer": "whole number",
    "number": "number",
    "boolean": "yes or no",
    "string": "text",
    "object": "JSON object",
    "null": "nothing",
}


def static_bundle(document: dict[str, Any]) -> dict[str, Any]:
    """Make what stands for a form where no kernel lives."""
    return {
        FORM_MIME: {"version": 1, **document},
        "text/html": static_form(document),
        "text/plain": one_line(document),
    }


def static_form(document: dict[str, Any]) -> str:
    """Draw a form that cannot be sent: its fields, what they take, their defaults.

    Parameters
    ----------
    document : dict
        As :class:`RunForm` shows it.

    Returns
    -------
    str
        HTML with nothing to load and nothing to run; every value is escaped.
    """
    schema, name = document["schema"], document["name"]
    required = schema.get("required", ())
    rows = [
        f"<span>{escape(one)}</span>"
        f'<span style="{SOFT}">{escape(_field(said, schema, one in required))}</span>'
        for one, said in schema.get("properties", {}).items()
    ]
    fields = f'<div style="{GRID}">{"".join(rows)}</div>' if rows else ""
    facts = escape(" · ".join(facts_of(document)))
    return (
        f'<div role="form" aria-label="{escape(f"Run {name}")}" style="{CARD}">'
        f'<div style="{ROW}"><b>{escape(name)}</b>&ensp;'
        f'<span style="{SOFT}">{facts}</span></div>{fields}</div>'
    )


def one_line(document: dict[str, Any]) -> str:
    """Form as plain text: ``Run train: epochs, learning_rate``."""
    names = ", ".join(document["schema"].get("properties", {}))
    return f"Run {document['name']}: {names or 'takes nothing'}"


def facts_of(document: dict[str, Any]) -> list[str]:
    """Say on what terms the job runs: ``timeout 1 h``, ``2 retries``."""
    timeout_s, retry = document.get("timeout_s"), document.get("retry") or 0
    facts = [f"timeout {span(timeout_s)}"] if timeout_s else []
    if retry:
        facts.append(f"{retry} {'retry' if retry == 1 else 'retries'}")
    return facts


def _field(said: dict[str, Any], schema: dict[str, Any], is_required: bool) -> str:
    kind = words(said, schema.get("$defs", {}))
    if is_required:
        return kind
    if "default" not in said:
        return f"{kind}, may be left out"
    default = json.dumps(said["default"], ensure_ascii=False)
    if len(default) > MOST_DEFAULT:
        default = f"{default[:MOST_DEFAULT]}…"
    return f"{kind}, {default} where nothing is said"


def words(said: Any, models: dict[str, Any]) -> str:
    """Say in words what a schema takes."""
    if not isinstance(said, dict):
        return "value"
    if "$ref" in said:
        name = str(said["$ref"]).rpartition("/")[2]
        model = models.get(name, {})
        return words(model, models) if "enum" in model else name
    if "enum" in said:
        return " or ".join(json.dumps(one, ensure_ascii=False) for one in said["enum"])
    if "const" in said:
        return json.dumps(said["const"], ensure_ascii=False)
    choices = said.get("anyOf") or said.get("oneOf") or said.get("allOf")
    if choices:
        return " or ".join(dict.fromkeys(words(one, models) for one in choices))
    kind = said.get("type")
    if kind == "array":
        inner = words(said["items"], models) if said.get("items") else "value"
        return f"list of {inner}"
    return _FORMATS.get(said.get("format", "")) or _TYPES.get(str(kind), "value")
