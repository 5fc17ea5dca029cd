"""The sentence under a state in a list: what is wrong, or what happens next. Called by the lists of records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.journal.language import Speaker
from shared.errors.entry import Language
from shared.moments import clock, lasting, number, relative
from shared.records.resources import OF_FLOW

SOON = timedelta(hours=24)
FINISHED = ("done", "warning", "skipped")


def with_sentences(
    items: list[dict[str, Any]],
    titles: Mapping[str, str],
    interfaces: Iterable[Mapping[str, Any]],
    reader: Speaker,
    now: datetime,
    zone: ZoneInfo,
) -> list[dict[str, Any]]:
    """The items with `says` (a sentence) and `due` (when an unfinished order has to leave within a day, else None)."""
    sides = {one["slug"]: one for one in interfaces}
    return [
        item
        | {
            "says": sentence(item, target(item, sides.get(item["interface"], {}), titles), reader, now),
            "due": due(item, reader, now, zone),
        }
        for item in items
    ]


def due(item: Mapping[str, Any], reader: Speaker, now: datetime, zone: ZoneInfo) -> str | None:
    """ "heute fällig, 23:00", in the zone of the reader."""
    by = item.get("ship_by")
    if item["flow"] != "order-import" or item["state"] in FINISHED or by is None or by - now >= SOON:
        return None
    if by < now:
        return reader.say("list.overdue", when=relative(by, now, reader.language))
    today = by.astimezone(zone).date() == now.astimezone(zone).date()
    return reader.say("list.due_today" if today else "list.due_tomorrow", when=clock(by, zone))


def target(item: Mapping[str, Any], interface: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """What the system is called that the record goes to."""
    key = str(interface.get("erp" if item["flow"] == "order-import" else "marketplace") or "?")
    return titles.get(key, key)


def sentence(item: Mapping[str, Any], target: str, reader: Speaker, now: datetime) -> str:
    """The reason where there is one, with the next attempt; else what the state means for this record."""
    reason = (item["reason"] or {}).get("sentence") or ""
    state, due = item["state"], item["due_at"]
    if item.get("held"):
        holds = item["held"]["sentence"]
        return str(holds) if reason in ("", holds) else f"{reason} {holds}"
    if item.get("away_since") is not None:
        return reader.say("says.away", target=target, since=lasting(item["away_since"], now, reader.language))
    if state == "waiting" and due is not None:
        after = reader.say("says.next", when=relative(due, now, reader.language))
        return f"{reason} {after}".strip()
    if reason:
        return str(reason)
    since = lasting(item["updated_at"], now, reader.language)
    if state == "pending":
        if due is not None and due - now > timedelta(minutes=1):
            return reader.say("says.later", when=relative(due, now, reader.language))
        return reader.say("says.pending", since=since)
    of = f"says.{OF_FLOW[item['flow']].name}"
    if state == "running":
        return reader.say(f"{of}.running", target=target, since=since)
    if state == "never":
        return reader.say(f"{of}.never")
    if state in ("done", "warning"):
        return reader.say(f"{of}.{_done(item)}", target=target, **_values(item, reader.language))
    return ""


def _done(item: Mapping[str, Any]) -> str:
    """Which of the sentences about something that has arrived."""
    if item["flow"] == "stock":
        if item["sent"] is None:
            return "parent" if item["type"] == "parent" else "done"
        return {True: "confirmed", False: "differs", None: "accepted"}[item["confirmed"]]
    if item["flow"] == "order-export":
        return "done"
    return "done" if item["erp_number"] else "done_plain"


def _values(item: Mapping[str, Any], language: Language) -> dict[str, Any]:
    if item["flow"] == "stock":
        return {name: "–" if item[name] is None else number(item[name], language) for name in ("sent", "shown")}
    return {"number": item["erp_number"]}
