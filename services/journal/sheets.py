"""The parts of the style sheet in `static/css`, in the order in which they are served as one. Called by `render`."""

from __future__ import annotations

SHEETS = (
    "tokens",
    "page",
    "head",
    "controls",
    "states",
    "table",
    "list",
    "record",
    "runs",
    "rooms",
    "card",
    "groups",
    "alarms",
    "status",
    "people",
    "phone",
    "print",
)
