"""The button with which somebody who sees initials asks for a buyer's data, with a reason."""

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
from shared.people.reveals import RevealRefused, reveal
from shared.records.history import read_record
from shared.records.resources import Resource


def routes(journal: Journal, pages: Pages, resource: Resource) -> APIRouter:
    """`POST /orders/{id}/reveal`; the same for the other resources."""
    router = guarded_router(journal)

    @router.post(f"/{resource.name}/{{id}}/reveal")
    @needs("viewer")
    def post_reveal(request: Request, id: int, reason: Annotated[str, Form()] = "") -> Response:
        """Show the record whole in this session from now on."""
        with journal.database() as conn:
            found = read_record(conn, id) if 0 < id < 2**63 else None
            if found is None or found["flow"] != resource.flow:
                return pages.error(request, speaker(request), 404)
            try:
                reveal(conn, actor_of(request), id, reason)
            except RevealRefused as error:
                return pages.error(request, speaker(request), 403 if error.code == "reveal-not-allowed" else 422)
        return see(request, f"/{resource.name}/{id}")

    return router
