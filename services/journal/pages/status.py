"""The system status, the first page: a card per interface, open incidents, seven days, the services."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.journal.api.alarms import worded
from services.journal.guard import guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.frame import frame
from services.journal.render import Pages
from services.journal.spark import spark
from services.journal.wiring import Journal
from shared.alarms.ledger import open_incidents
from shared.records.health import COUNTED_TO, arrivals_by_hour, flows, incidents_by_day

DAYS = 7
WORDS = ("fine", "warning", "error")
EXPECTED = ("importer", "exporter", "stock", "alerts", "journal")


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/`"""
    router = guarded_router(journal)

    @router.get("/")
    @needs("viewer")
    def get_status(request: Request, show: str = "") -> Response:
        """How everything is doing; `show`: only interfaces that are fine, have warnings or have errors."""
        reader, now = speaker(request), datetime.now(UTC)
        zone = reader.zone or journal.zone
        with journal.database() as conn:
            values = frame(conn, "status")
            incidents = [worded(one, reader.language) for one in open_incidents(conn, days=DAYS)]
            per_flow, hours = flows(conn), arrivals_by_hour(conn, now)
            days = incidents_by_day(conn, DAYS, zone.key)
        opened = [one for one in incidents if one["ended"] is None]
        cards = [_card(one, per_flow, hours, opened) for one in values["interfaces"]]
        there = {one["name"] for one in values["services"]}
        values |= {
            "counts": {word: sum(card["light"] == word for card in cards) for word in WORDS},
            "cards": [card for card in cards if show not in WORDS or card["light"] == show],
            "show": show if show in WORDS else "",
            "opened": opened,
            "elsewhere": [one for one in opened if not one["interface"]],
            "ended": [one for one in incidents if one["ended"] is not None][:20],
            "strip": [
                (one["slug"], [days.get((one["slug"], ago), {}) for ago in range(DAYS - 1, -1, -1)])
                for one in values["interfaces"]
            ],
            "days": [now.astimezone(zone) - timedelta(days=ago) for ago in range(DAYS - 1, -1, -1)],
            "missing": [name for name in EXPECTED if name not in there],
            "most": COUNTED_TO,
        }
        return pages.show(request, reader, "status.html", values)

    return router


def _card(
    interface: Mapping[str, Any],
    per_flow: list[dict[str, Any]],
    hours: Mapping[tuple[str, str], Any] | None,
    opened: list[dict[str, Any]],
) -> dict[str, Any]:
    slug = interface["slug"]
    own = [one for one in opened if one["interface"] == slug]
    errors = any(one["severity"] == "error" for one in own)
    away = any(side["breaker"] == "open" for side in interface["sides"].values())
    rows = []
    for one in per_flow:
        if one["interface"] == slug:
            counts = None if hours is None else hours.get((slug, one["flow"]), [0] * 24)
            light = "failed" if one["failed"] else "waiting" if one["waiting"] else "done"
            mode = (interface["flows"] or {}).get(one["flow"])
            rows.append(
                {
                    **one,
                    "light": light if mode == "live" else "never" if mode == "test" else "skipped",
                    "spark": None if counts is None else spark(counts),
                    "per_hour": None if counts is None else counts[-1] or counts[-2],
                }
            )
    light = "error" if errors else "warning" if own or away else "fine"
    return {"interface": interface, "flows": rows, "incidents": own, "light": light}
