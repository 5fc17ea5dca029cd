"""`PUT /orders/{id}/payload`: correct the staged copy of an order, and let it run."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from starlette.requests import Request

from services.journal.api.bodies import EditPayload
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.records.wording import explained
from shared.runtime.edit import edit_order


def routes(journal: Journal) -> APIRouter:
    """The call."""
    router = guarded_router(journal, "/api/v1")

    @router.put("/orders/{id}/payload", tags=["orders"], summary="Correct the staged copy of an order")
    @needs("operator")
    def put_payload(
        request: Request, id: int, body: EditPayload, language: Literal["de", "en"] = "en"
    ) -> dict[str, Any]:
        """Replace the `data` of the staged event by a corrected one and let the order run with it. What was received is
        kept as the copy before; the answer names every change. With dry_run nothing is stored."""
        with journal.database() as conn:
            said = None
            if 0 < id < 2**63:
                said = edit_order(
                    conn, id, body.data, actor_of(request).name, seen=body.seen, why=body.why, dry_run=body.dry_run,
                    failpoint=journal.failpoint,
                )  # fmt: skip
        if said is None:
            raise ApiProblem(404, "not-found", "There is no such order.")
        problems = explained([problem.as_json() for problem in said.problems], language)
        if said.refused == "state":
            detail = f"The order is {said.state}; only one that is pending, waits, failed or was skipped is corrected."
            raise ApiProblem(409, "state-does-not-allow-it", detail, {"state": said.state})
        if said.refused == "overtaken":
            detail = f"Another copy is staged by now, number {said.payload_no}: read the order again."
            raise ApiProblem(409, "overtaken", detail, {"payload_no": said.payload_no})
        if said.refused is not None and not body.dry_run:
            detail = "Nothing was changed." if said.refused == "unchanged" else "The corrected data cannot be taken in."
            raise ApiProblem(422, f"edit-{said.refused}", detail, {"problems": problems, "changes": said.changes})
        return {
            "dry_run": body.dry_run,
            "stored": said.stored,
            "payload_no": said.payload_no,
            "state": said.state,
            "changes": said.changes,
            "problems": problems,
        }

    return router
