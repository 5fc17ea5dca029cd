"""The sentence under a state in the list: what is wrong, or what happens next. Called by the list of orders."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from services.journal.language import Speaker
from services.journal.moments import lasting, relative

SOON = timedelta(hours=24)
FINISHED = ("done", "warning", "skipped")


def with_sentences(
    items: list[dict[str, Any]], erps: Mapping[str, str], reader: Speaker, now: datetime
) -> list[dict[str, Any]]:
    """The items with `says` (a sentence) and `due_soon` (unfinished and to be shipped within a day).

    erps: interface → how to call its ERP.
    """
    return [
        item
        | {
            "says": sentence(item, erps.get(item["interface"], "ERP"), reader, now),
            "due_soon": item["state"] not in FINISHED and item["ship_by"] is not None and item["ship_by"] - now < SOON,
        }
        for item in items
    ]


def sentence(item: Mapping[str, Any], erp: str, reader: Speaker, now: datetime) -> str:
    """The reason where there is one, with the next attempt; else what the state means for this record."""
    reason = (item["reason"] or {}).get("sentence") or ""
    state, due = item["state"], item["due_at"]
    if state == "waiting" and due is not None:
        after = reader.say("says.next", when=relative(due, now, reader.language))
        return f"{reason} {after}".strip()
    if reason:
        return str(reason)
    since = lasting(item["updated_at"], now, reader.language)
    if state == "pending":
        later = due is not None and due - now > timedelta(minutes=1)
        return (
            reader.say("says.later", when=relative(due, now, reader.language))
            if later
            else reader.say("says.pending", since=since)
        )
    if state == "running":
        return reader.say("says.running", erp=erp, since=since)
    if state in ("done", "warning"):
        number = item["erp_number"]
        return reader.say("says.done", erp=erp, number=number) if number else reader.say("says.done_plain", erp=erp)
    return ""
