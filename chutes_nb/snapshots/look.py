"""How text of ours looks on pages that know no style of ours."""

from __future__ import annotations

# Middle tones, readable on white and on black: a saved page may be either.
TONES = {
    "queued": "#808890",
    "running": "#1e88e5",
    "retrying": "#b7791f",
    "completed": "#2e9e4f",
    "failed": "#d9483b",
    "timeout": "#d9483b",
    "cancelled": "#808890",
    "interrupted": "#b7791f",
}
LINE = "1px solid rgba(128,128,128,.35)"
CARD = (
    f"border:{LINE};border-radius:6px;max-width:1000px;color:inherit;"
    "overflow-wrap:anywhere"
)
BOARD = f"{CARD};box-sizing:border-box"
ROW = "padding:7px 12px;font:13px/1.5 system-ui,sans-serif"
SOFT = "opacity:.72;font-size:12px"
PRE = (
    f"margin:0;padding:8px 12px;border:0;border-top:{LINE};background:none;"
    "color:inherit;font:12px/1.55 ui-monospace,monospace;white-space:pre;overflow:auto"
)
MARK = (
    "background:rgba(217,72,59,.16);box-shadow:inset 2px 0 #d9483b;display:block;"
    "margin:0 -12px;padding:0 12px"
)
