"""One order, export or article: what is wrong and what to do, the hops it took, the attempts, and its data.

An order's page shows its export too, and the other way round.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.frame import frame
from services.journal.pages.hops import hops
from services.journal.pages.meta import meta
from services.journal.pages.saying import with_sentences
from services.journal.pages.scope import see, spoken
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.db.connect import Connection
from shared.people.reveals import sees_buyers
from shared.records.bulk_read import read_run
from shared.records.card import error_card
from shared.records.copies import changed_since, read_copies, read_copy
from shared.records.filter import Atom, Term
from shared.records.history import history, newest_first, of_the_same_order, read_record
from shared.records.resources import OF_FLOW, Resource
from shared.runtime.links import links


def routes(journal: Journal, pages: Pages, resource: Resource) -> APIRouter:
    """`/orders/{id}`; the same for the other resources."""
    router = guarded_router(journal)

    @router.get(f"/{resource.name}/{{id}}")
    @needs("viewer")
    def get_record(request: Request, id: int, run: UUID | None = None, copy: int | None = None) -> Response:
        """The page of one record; one of another list is shown there. copy: of its event, without it the newest."""
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
            zone = reader.zone or journal.zone
            record["card"] = error_card(conn, record, zone, journal.titles, reader.language, actor_of(request))
            beside = of_the_same_order(conn, record)
            other = read_record(conn, beside, reveal=reveal, language=reader.language) if beside else None
            happened = history(conn, id, titles=journal.titles, language=reader.language, reveal=reveal)
            besides = (
                history(conn, beside, titles=journal.titles, language=reader.language, reveal=reveal) if beside else []
            )
            values = frame(conn, resource.name, record["interface"])
            (record,) = with_sentences([record], journal.titles, values["interfaces"], reader, datetime.now(UTC), zone)
            now = datetime.now(UTC)
            (record,) = with_sentences([record], journal.titles, values["interfaces"], reader, now, zone)
            values |= _copy(conn, record, copy, reveal) | {
                "record": record,
                "other": other,
                "export": next((one for one in (record, other) if one and one["flow"] == "order-export"), None),
                "transitions": newest_first(
                    (
                        *hops(happened, record["flow"], _first(conn, id), reader.language),
                        *(hops(besides, other["flow"], _first(conn, other["id"]), reader.language) if other else ()),
                    )
                ),
                "attempts": [one for one in happened if one["kind"] == "attempt"],
                "meta": meta(record, other, reader, zone),
                "parent_filter": Term((Atom("", "", record.get("parent_sku") or ""),)).text,
                "run": run and read_run(conn, run),
                "masked": not reveal,
                "links": links(conn, journal.connectors, record),
            }
        return pages.show(request, reader, "record.html", values | spoken(resource, reader))

    return router


def _first(conn: Connection, id: int) -> Mapping[str, Any]:
    return read_copy(conn, id, 1) or {}


def _copy(conn: Connection, record: Mapping[str, Any], asked: int | None, reveal: bool) -> dict[str, Any]:
    """The copy of the event that the page shows, the newest unless another was asked for, and what it changed."""
    copies = read_copies(conn, record["id"])
    known = {one["no"]: one for one in copies}
    shown = known.get(asked or 0) or known.get(record["payload_no"]) or {"no": 0}
    newest = record["payload"] if shown["no"] == record["payload_no"] else None
    event = newest or read_copy(conn, record["id"], shown["no"], reveal) or {}
    earlier = read_copy(conn, record["id"], shown["no"] - 1, reveal) if shown["no"] > 1 else None
    return {
        "copies": copies,
        "shown": shown | {"before": earlier is not None},
        "differs": changed_since(earlier, event) if earlier else [],
        "data": event.get("data") or {},
        "payload": json.dumps(event, ensure_ascii=False, indent=2),
    }
