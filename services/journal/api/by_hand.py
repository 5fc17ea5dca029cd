"""`POST /orders/{id}/done-by-hand`: a person has created the order in the ERP and tells its number there."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from services.journal.api.bodies import DoneByHand
from services.journal.asking import there
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.people.audit import audit
from shared.records.by_hand import mark_done_by_hand
from shared.records.history import read_record


def routes(journal: Journal) -> APIRouter:
    """The call."""
    router = guarded_router(journal, "/api/v1")

    @router.post("/orders/{id}/done-by-hand", tags=["orders"])
    @needs("operator")
    def done_by_hand(request: Request, id: int, body: DoneByHand) -> dict[str, Any]:
        """A person has created the order in the ERP: link it, create it no more, and let its exports go on."""
        actor = actor_of(request)
        with journal.database() as conn, conn.transaction():
            said = mark_done_by_hand(conn, id, body.erp_number, actor.name) if 0 < id < 2**63 else None
            if said is None:
                raise ApiProblem(404, "not-found", "There is no such order.")
            if not said.done:
                detail = f"The order is {said.state}; only one that waits, failed or was skipped can be marked."
                raise ApiProblem(409, "state-does-not-allow-it", detail, {"state": str(said.state)})
            audit(conn, actor.name, "orders.done-by-hand", {"record": id, "erp_number": body.erp_number})
            return there(read_record(conn, id, reveal=True), "order")

    return router
