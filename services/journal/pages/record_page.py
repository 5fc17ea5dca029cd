"""One order, export or article: what is wrong and what to do, the hops it took, the attempts, and its data.

An order's page shows its export too, and the other way round.
"""

from __future__ import annotations

import json
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.frame import frame
from services.journal.pages.scope import see, spoken
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.people.reveals import sees_buyers
from shared.records.bulk import read_run
from shared.records.filter import Atom, Term
from shared.records.history import history, of_the_same_order, read_record
from shared.records.resources import OF_FLOW, Resource


def routes(journal: Journal, pages: Pages, resource: Resource) -> APIRouter:
    """`/orders/{id}`; the same for the other resources."""
    router = guarded_router(journal)

    @router.get(f"/{resource.name}/{{id}}")
    @needs("viewer")
    def get_record(request: Request, id: int, run: UUID | None = None) -> Response:
        """The page of one record. One of another list is shown there."""
        reader = speaker(request)
        with journal.database() as conn:
            reveal = sees_buyers(conn, actor_of(request), id)
            record = None
            if 0 < id < 2**63:
                record = read_record(conn, id, reveal=reveal, language=reader.language)
            if record is None:
                return pages.error(request, reader, 404)
            if record["flow"] != resource.flow:
                return see(request, f"/{OF_FLOW[record['flow']].name}/{id}")
            beside = of_the_same_order(conn, record)
            other = beside and read_record(conn, beside, reveal=reveal, language=reader.language)
            happened = history(conn, id, titles=journal.titles, language=reader.language)
            besides = history(conn, beside, titles=journal.titles, language=reader.language) if beside else []
            values = frame(conn, resource.name, record["interface"]) | {
                "record": record,
                "other": other,
                "export": next((one for one in (record, other) if one and one["flow"] == "order-export"), None),
                "transitions": [one for one in happened if one["kind"] == "transition"],
                "attempts": [one for one in happened if one["kind"] == "attempt"],
                "others_transitions": [one for one in besides if one["kind"] == "transition"],
                "payload": json.dumps(record["payload"], ensure_ascii=False, indent=2),
                "parent_filter": Term((Atom("", "", record.get("parent_sku") or ""),)).text,
                "run": run and read_run(conn, run),
                "masked": not reveal,
            }
        return pages.show(request, reader, "record.html", values | spoken(resource, reader))

    return router
