"""The line under a record's number: buyer, amount, what was bought, when. Called by the record's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from services.journal.language import Speaker
from shared.moments import clock, day, money


def meta(record: Mapping[str, Any], other: Mapping[str, Any] | None, reader: Speaker, zone: ZoneInfo) -> list[str]:
    """Short texts, the empty ones left out. other: of an export its order."""
    if record["flow"] == "stock":
        said = [record.get("name"), record["interface"]]
    else:
        order = record if record["flow"] == "order-import" else other or {}
        said = [
            order.get("customer"),
            money(order.get("total"), order.get("currency"), reader.language),
            bought(order, reader),
            record["ordered_at"]
            and reader.say(
                "record.ordered_at",
                when=f"{day(record['ordered_at'], zone, reader.language)}, {clock(record['ordered_at'], zone)}",
            ),
            record["interface"],
        ]
    return [text for text in said if text]


def bought(order: Mapping[str, Any], reader: Speaker) -> str:
    """ "2 × ABC-1", or "3 × ABC-1 and 2 more" with the number of the other lines."""
    lines = (((order.get("payload") or {}).get("data") or {}).get("order") or {}).get("lines") or []
    if not lines:
        return ""
    first = f"{lines[0].get('quantity')} × {lines[0].get('sku')}"
    return first if len(lines) == 1 else reader.say("record.and_more", first=first, count=len(lines) - 1)
