"""The system status, the first page: a card per interface, open incidents, seven days, services, broker, database."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.frame import frame
from services.journal.render import Pages
from services.journal.spark import spark
from services.journal.wiring import Journal
from shared.records.health import COUNTED_TO, incidents_by_day
from shared.status.document import DAYS, status

WORDS = ("fine", "warning", "error")
REPORTS = 20


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/`"""
    router = guarded_router(journal)

    @router.get("/")
    @needs("viewer")
    def get_status(request: Request, show: Annotated[list[str] | None, Query()] = None) -> Response:
        """How everything is doing; `show`: only interfaces that are fine, have warnings or errors; may be repeated."""
        reader = speaker(request)
        zone = reader.zone or journal.zone
        seen = journal.broker.seen()
        with journal.database() as conn:
            values = frame(conn, "status")
            found = status(conn, seen, reader.language)
            days = incidents_by_day(conn, DAYS, zone.key)
        shown = [word for word in WORDS if word in (show or ())]
        opened = [one for one in found["incidents"] if one["ended"] is None]
        lasts = range(DAYS - 1, -1, -1)
        values |= {
            "found": found,
            "counts": {word: sum(one["light"] == word for one in found["interfaces"]) for word in WORDS},
            "cards": [one for one in found["interfaces"] if not shown or one["light"] in shown],
            "shown": shown,
            "toggled": lambda word: [one for one in WORDS if (one in shown) != (one == word)],
            "opened": opened,
            "hit": sum(one["light"] in ("warning", "error") for one in found["interfaces"]),
            "elsewhere": [one for one in opened if not one["interface"]],
            "reports": sorted(found["incidents"], key=lambda one: one["since"], reverse=True)[:REPORTS],
            "strip": [
                (one["slug"], [days.get((one["slug"], ago), {}) for ago in lasts]) for one in found["interfaces"]
            ],
            "days": [found["at"].astimezone(zone) - timedelta(days=ago) for ago in lasts],
            "most": COUNTED_TO,
            "spark": spark,
            "queues": _by_event(found["broker"]["queues"]),
        }
        return pages.show(request, reader, "status.html", values)

    return router


def _by_event(queues: list[dict[str, Any]]) -> list[tuple[dict[str, Any], int | None]]:
    """Each queue of events with its dead letters, then what could not be routed; wake-ups are nobody's business."""
    dead = {queue["name"].removesuffix(".dead"): queue["ready"] for queue in queues if queue["purpose"] == "dead"}
    return [(queue, dead.get(queue["name"])) for queue in queues if queue["purpose"] in ("events", "unrouted")]
