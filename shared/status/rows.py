"""Which rows of the Journal an incident is about: a list and the filter that shows them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from shared.alarms.plan import DUE_SOON
from shared.records.resources import OF_FLOW


def rows_of(incident: Mapping[str, Any]) -> str | None:
    """The address of an incident's rows, without host; None where it is about no record.

    incident: interface, flow, code, key and problem (None where the cause is counted, not kept with its records).
    """
    if not incident["interface"] or incident["flow"] not in OF_FLOW:
        return None
    if incident["code"] == DUE_SOON:
        # No word of a filter says when an order is due; the unfinished ones stand with their date.
        term = "state:failed|waiting|pending|running"
    else:
        term = f"group:{incident['key']}" if incident["problem"] else f"error:{incident['code']}"
    path = f"/interfaces/{incident['interface']}/{OF_FLOW[incident['flow']].name}"
    return f"{path}?{urlencode({'filter': term})}"
