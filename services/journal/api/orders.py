"""Orders: list, one, its history; import by number; retry by id or filter; receipts and bulk runs."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from services.journal.api.bodies import DoneByHand, ImportOrder, RetryOrder
from services.journal.asking import understood
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.people.audit import audit
from shared.records.actions import read_receipt, request_import
from shared.records.bulk import preview, read_run, retry_ids, retry_matching
from shared.records.by_hand import mark_done_by_hand
from shared.records.filter import parse
from shared.records.history import history, read_record
from shared.records.interfaces import modes
from shared.records.listing import list_records

FLOW = "order-import"


def routes(journal: Journal) -> APIRouter:
    """The calls of this resource."""
    router = guarded_router(journal, "/api/v1")

    @router.get("/orders")
    @needs("viewer")
    def list_orders(
        request: Request,
        filter: str = "",
        sort: str = "-updated",
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
        format: Literal["json"] = "json",  # noqa: ARG001 - refuses what this release cannot write
        language: Literal["de", "en"] = "en",
    ) -> dict[str, Any]:
        """A page of orders: items, the cursor of the next page, and how many match (exact up to 10,000)."""
        with journal.database() as conn, understood():
            wanted = parse(filter, journal.zone, modes(conn))
            page = list_records(
                conn,
                FLOW,
                wanted,
                sort=sort,
                cursor=cursor,
                limit=limit,
                reveal=actor_of(request).at_least("operator"),
                language=language,
            )
        return {"items": page.items, "next": page.next, "total": {"count": page.count, "capped": page.capped}}

    @router.post("/orders/import", status_code=202)
    @needs("operator")
    def import_orders(request: Request, response: Response, body: ImportOrder) -> dict[str, Any]:
        """Read orders from the marketplace by number. The receipt fills as answers come in."""
        actor = actor_of(request).name
        with journal.database() as conn:
            if body.interface not in modes(conn):
                raise ApiProblem(404, "interface-unknown", f"There is no interface “{body.interface}”.")
            receipt = request_import(conn, body.interface, body.numbers, actor)
            audit(conn, actor, "orders.import", {"interface": body.interface, "receipt": str(receipt)})
            found = read_receipt(conn, receipt)
        assert found is not None
        response.headers["Location"] = f"/api/v1/receipts/{receipt}"
        return found

    @router.get("/receipts/{id}")
    @needs("viewer")
    def get_receipt(id: UUID) -> dict[str, Any]:
        """A receipt, number by number."""
        with journal.database() as conn:
            found = read_receipt(conn, id)
        return _there(found, "receipt")

    @router.post("/orders/retry")
    @needs("operator")
    def retry_orders(request: Request, body: RetryOrder) -> dict[str, Any]:
        """Set orders due now; with dry_run only say what would happen. Answers with the bulk run."""
        actor = actor_of(request).name
        with journal.database() as conn, understood():
            wanted = None if body.filter is None else parse(body.filter, journal.zone, modes(conn))
            if body.dry_run:
                return preview(conn, FLOW, ids=body.ids, filter=wanted, excepted=body.excepted)
            if wanted is not None:
                run = retry_matching(conn, FLOW, wanted, body.excepted, actor)
            else:
                run = retry_ids(conn, FLOW, body.ids or [], actor)
            audit(conn, actor, "orders.retry", {"run": run["id"], "counts": run["counts"]})
        return run

    @router.post("/orders/{id}/done-by-hand")
    @needs("operator")
    def done_by_hand(request: Request, id: int, body: DoneByHand) -> dict[str, Any]:
        """A person has created the order in the ERP: link it, create it no more, and let its exports go on."""
        actor = actor_of(request)
        with journal.database() as conn:
            said = mark_done_by_hand(conn, id, body.erp_number, actor.name) if _possible(id) else None
            if said is None:
                raise ApiProblem(404, "not-found", "There is no such order.")
            if not said.done:
                detail = f"The order is {said.state}; only one that waits, failed or was skipped can be marked."
                raise ApiProblem(409, "state-does-not-allow-it", detail, {"state": str(said.state)})
            audit(conn, actor.name, "orders.done-by-hand", {"record": id, "erp_number": body.erp_number})
            found = read_record(conn, id, reveal=True)
        return _there(found, "order")

    @router.get("/bulk/{id}")
    @needs("viewer")
    def get_bulk(id: UUID) -> dict[str, Any]:
        """A bulk run: what was asked, by whom, and what became of it."""
        with journal.database() as conn:
            found = read_run(conn, id)
        return _there(found, "bulk run")

    @router.get("/orders/{id}")
    @needs("viewer")
    def get_order(request: Request, id: int) -> dict[str, Any]:
        """One order with its payload."""
        with journal.database() as conn:
            found = read_record(conn, id, reveal=actor_of(request).at_least("operator")) if _possible(id) else None
        return _there(found if found and found["flow"] == FLOW else None, "order")

    @router.get("/orders/{id}/history")
    @needs("viewer")
    def get_history(request: Request, id: int, language: Literal["de", "en"] = "en") -> dict[str, Any]:
        """Every transition and attempt of an order, newest first, with source and target of the hop."""
        reveal = actor_of(request).at_least("operator")
        with journal.database() as conn:
            found = read_record(conn, id, reveal=reveal) if _possible(id) else None
            _there(found if found and found["flow"] == FLOW else None, "order")
            return {"items": history(conn, id, titles=journal.titles, language=language)}

    return router


def _possible(record_id: int) -> bool:
    return 0 < record_id < 2**63


def _there(found: dict[str, Any] | None, what: str) -> dict[str, Any]:
    if found is None:
        raise ApiProblem(404, "not-found", f"There is no such {what}.")
    return found
