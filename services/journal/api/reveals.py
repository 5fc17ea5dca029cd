"""A buyer's data for somebody who otherwise sees initials: with a reason, into the audit."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from starlette.requests import Request

from services.journal.api.bodies import RevealBody
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.people.reveals import RevealRefused, reveal
from shared.records.history import read_record
from shared.records.resources import Resource


def routes(journal: Journal, resource: Resource) -> APIRouter:
    """`POST /orders/{id}/reveal`; the same for the other resources."""
    router = guarded_router(journal, f"/api/v1/{resource.name}")

    @router.post("/{id}/reveal", summary=f"Reveal the buyer of one of the {resource.name}")
    @needs("viewer")
    def post_reveal(
        request: Request, id: int, body: RevealBody, language: Literal["de", "en"] = "en"
    ) -> dict[str, Any]:
        """The record whole. Writes into the audit who wanted to see it and why."""
        with journal.database() as conn:
            found = read_record(conn, id, reveal=True, language=language) if 0 < id < 2**63 else None
            if found is None or found["flow"] != resource.flow:
                raise ApiProblem(404, "not-found", "There is no such record.")
            try:
                reveal(conn, actor_of(request), id, body.reason)
            except RevealRefused as error:
                status = 403 if error.code == "reveal-not-allowed" else 422
                raise ApiProblem(status, error.code, str(error)) from None
        return found

    return router
