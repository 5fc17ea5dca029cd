"""One order: what is wrong and what to do, the hops it took, the attempts, and its data."""

from __future__ import annotations

import json
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.frame import frame
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.records.bulk import read_run
from shared.records.history import history, read_record


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/orders/{id}`"""
    router = guarded_router(journal)

    @router.get("/orders/{id}")
    @needs("viewer")
    def get_order(request: Request, id: int, run: UUID | None = None) -> Response:
        """The page of one order."""
        reader = speaker(request)
        reveal = actor_of(request).at_least("operator")
        with journal.database() as conn:
            record = None
            if 0 < id < 2**63:
                record = read_record(conn, id, reveal=reveal, language=reader.language)
            if record is None or record["flow"] != "order-import":
                return pages.error(request, reader, 404)
            happened = history(conn, id, titles=journal.titles, language=reader.language)
            values = frame(conn, "orders", record["interface"]) | {
                "order": record,
                "transitions": [one for one in happened if one["kind"] == "transition"],
                "attempts": [one for one in happened if one["kind"] == "attempt"],
                "payload": json.dumps(record["payload"], ensure_ascii=False, indent=2),
                "run": run and read_run(conn, run),
                "masked": not reveal,
            }
        return pages.show(request, reader, "order.html", values)

    return router
