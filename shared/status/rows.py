"""Which rows of the Journal an incident is about: a list and the filter that shows them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from shared.alarms.incidents import Cause
from shared.alarms.rows import rows_filter
from shared.records.resources import OF_FLOW


def rows_of(incident: Mapping[str, Any]) -> str | None:
    """The address of an incident's rows, without host; None where it is about no record.

    incident: interface, flow, code, key and problem (None where the cause is counted, not kept with its records).
    """
    if not incident["interface"] or incident["flow"] not in OF_FLOW:
        return None
    cause = Cause(incident["interface"], incident["flow"], incident["code"], incident["key"])
    term = rows_filter(cause, incident["problem"])
    path = f"/interfaces/{cause.interface}/{OF_FLOW[cause.flow].name}"
    return f"{path}?{urlencode({'filter': term})}" if term else path
