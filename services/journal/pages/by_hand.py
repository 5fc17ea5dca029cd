"""The form "done by hand" on the page of an order: a person created it in the ERP and tells its number there."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.scope import see
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.people.audit import audit
from shared.records.by_hand import mark_done_by_hand
from shared.records.resources import ORDERS


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/orders/{id}/done-by-hand`"""
    router = guarded_router(journal)

    @router.post("/orders/{id}/done-by-hand")
    @needs("operator")
    def post_by_hand(request: Request, id: int, erp_number: Annotated[str, Form()] = "") -> Response:
        """Link it and go back to the order."""
        actor, number = actor_of(request).name, erp_number.strip()
        if not 0 < len(number) <= ORDERS.number_length or "\0" in number:
            return pages.error(request, speaker(request), 422)
        with journal.database() as conn, conn.transaction():
            said = mark_done_by_hand(conn, id, number, actor) if 0 < id < 2**63 else None
            if said is None:
                return pages.error(request, speaker(request), 404)
            if not said.done:
                return pages.error(request, speaker(request), 409)
            audit(conn, actor, "orders.done-by-hand", {"record": id, "erp_number": number})
        return see(request, f"/orders/{id}")

    return router
