"""Orders, exports and articles: list, one, its history; ask for some by number, id or filter."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from services.journal.api.bodies import RequestRecords
from services.journal.asking import there, understood
from services.journal.download import MEDIA, download
from services.journal.filled import filled
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.db.connect import Connection
from shared.people.audit import audit
from shared.people.reveals import sees_buyers
from shared.records.actions import request, request_selected
from shared.records.card import error_card
from shared.records.diagnosis import diagnose
from shared.records.filter import Filter, parse
from shared.records.history import history, read_record
from shared.records.interfaces import modes
from shared.records.listing import list_records
from shared.records.receipt import read_receipt
from shared.records.resources import Resource
from shared.records.sheet import Sheet
from shared.runtime.links import links

ASKED = {
    "import": "Read orders from the marketplace. What Connect has already is answered with `exists`.",
    "export": "Read orders from the ERP now and export their status and tracking, even if nothing has changed.",
    "sync": "Read the quantities of articles from the ERP now and send them, even if nothing has changed.",
}
"""By verb: what a request does."""

LISTED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/json": {"schema": {"type": "object"}},
            MEDIA["csv"]: {"schema": {"type": "string"}},
            MEDIA["xlsx"]: {"schema": {"type": "string", "format": "binary"}},
        }
    }
}


def routes(journal: Journal, resource: Resource) -> APIRouter:
    """The calls of one resource."""
    router = guarded_router(journal, f"/api/v1/{resource.name}")
    name, one, flow, verb = resource.name, resource.one, resource.flow, resource.verb

    def scope(conn: Connection, text: str | None) -> Filter | None:
        return None if text is None else parse(text, journal.zone, modes(conn))

    @router.get("", summary=f"List {name}", response_model=dict[str, Any], responses=LISTED)
    @needs("viewer")
    def list_(
        request: Request,
        filter: str = "",
        sort: str | None = None,
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
        format: Literal["json", "csv", "xlsx"] = "json",
        language: Literal["de", "en"] | None = None,
    ) -> Any:
        """A page: items, the cursor of the next page, and how many match (exact to 10,000; capped: at least so many).

        Without a sort the last run comes first, or the last order date where the filter is about that. As csv or xlsx
        everything that matches; with a language heads and states are words, and times the user's.
        """
        if format != "json":
            sheet = Sheet(resource, language, speaker(request).zone or journal.zone)
            with understood():
                return download(
                    journal,
                    sheet,
                    format,
                    lambda conn: parse(filter, journal.zone, modes(conn)),
                    sort=sort or "-updated",
                    reveal=actor_of(request).at_least("operator"),
                )
        with journal.database() as conn, understood():
            page = list_records(
                conn,
                flow,
                parse(filter, journal.zone, modes(conn)),
                sort=sort,
                cursor=cursor,
                limit=limit,
                reveal=actor_of(request).at_least("operator"),
                language=language or "en",
            )
        return {"items": page.items, "next": page.next, "total": {"count": page.count, "capped": page.capped}}

    @router.post(f"/{verb}", status_code=202, summary=f"{verb.title()} {name}", description=ASKED[verb])
    @needs("operator")
    def ask(
        http: Request, response: Response, body: RequestRecords, language: Literal["de", "en"] = "en"
    ) -> dict[str, Any]:
        """The answer is a receipt that fills. With dry_run it shows what would be sent, and nothing is changed."""
        actor = actor_of(http).name
        with journal.database() as conn, conn.transaction(), understood():
            if body.numbers is not None:
                if body.interface not in modes(conn):
                    raise ApiProblem(404, "interface-unknown", f"There is no interface “{body.interface}”.")
                receipt = request(conn, verb, body.interface, body.numbers, actor, dry_run=body.dry_run)
            else:
                wanted = scope(conn, body.filter)
                receipt = request_selected(
                    conn, verb, actor, ids=body.ids, filter=wanted, excepted=body.excepted, dry_run=body.dry_run
                )
            target = {"interface": body.interface, "receipt": str(receipt)}
            audit(conn, actor, f"{name}.{verb}", target | ({"dry_run": True} if body.dry_run else {}))
            found = there(read_receipt(conn, receipt, language=language), "receipt")
        if body.dry_run:
            found = filled(journal, receipt, found, language)
            response.status_code = 200 if found["complete"] else 202
        response.headers["Location"] = f"/api/v1/receipts/{receipt}"
        return found

    @router.get("/diagnose", summary=f"Say why a number is not among the {name}")
    @needs("viewer")
    def why(
        number: Annotated[str, Query(min_length=1, max_length=1000)],
        filter: str = "",
        interface: str | None = None,
        language: Literal["de", "en"] = "en",
    ) -> dict[str, Any]:
        """Filtered out (by which terms), rejected, asked for, not found there, too old, or never received."""
        with journal.database() as conn, understood():
            if interface is not None and interface not in modes(conn):
                raise ApiProblem(404, "interface-unknown", f"There is no interface “{interface}”.")
            narrowed = parse(filter, journal.zone, modes(conn))
            return diagnose(
                conn,
                resource,
                number.replace("\0", ""),
                journal.zone,
                filter=narrowed,
                interface=interface,
                language=language,
            )

    @router.get("/{id}", summary=f"Read one {one}")
    @needs("viewer")
    def read(request: Request, id: int, language: Literal["de", "en"] = "en") -> dict[str, Any]:
        """The record with its payload, where to see it in the remote systems (`links`), and where it is in trouble its
        error card."""
        with journal.database() as conn:
            found = known(conn, request, id, language)
            found["card"] = error_card(conn, found, journal.zone, journal.titles, language, actor_of(request))
            return found | {"links": links(conn, journal.connectors, found)}

    @router.get("/{id}/history", summary=f"Read the history of one {one}")
    @needs("viewer")
    def read_history(request: Request, id: int, language: Literal["de", "en"] = "en") -> dict[str, Any]:
        """Every transition and attempt, newest first, with source and target of the hop.

        An attempt has its calls: operation, method, target, status, seconds, and for operators request and response.
        """
        with journal.database() as conn:
            known(conn, request, id, language)
            reveal = sees_buyers(conn, actor_of(request), id)
            return {"items": history(conn, id, titles=journal.titles, language=language, reveal=reveal)}

    def known(conn: Connection, http: Request, id: int, language: Literal["de", "en"]) -> dict[str, Any]:
        reveal = sees_buyers(conn, actor_of(http), id)
        found = read_record(conn, id, reveal=reveal, language=language) if 0 < id < 2**63 else None
        return there(found if found and found["flow"] == flow else None, one)

    return router
