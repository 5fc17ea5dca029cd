"""Which rows an incident is about, as a filter of the Journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.alarms.incidents import Cause
from shared.alarms.levels import DRIFTED, SILENT, TOO_OLD
from shared.alarms.plan import DUE_SOON

OF_LEVEL = {
    TOO_OLD: "state:pending|running",
    DRIFTED: "drift:yes",
    DUE_SOON: "due:24h test:no",
    **dict.fromkeys(SILENT.values(), ""),
}


def rows_filter(cause: Cause, problem: Mapping[str, Any] | None) -> str:
    """The filter that shows them; "" for all. problem: as the incident keeps it."""
    if cause.code in OF_LEVEL:
        return OF_LEVEL[cause.code]
    return f"group:{cause.key}" if problem else f"error:{cause.code}"
