"""The first page: the list of orders."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from services.journal.guard import guarded_router, needs
from services.journal.wiring import Journal


def routes(journal: Journal) -> APIRouter:
    """`/`"""
    router = guarded_router(journal)

    @router.get("/")
    @needs("viewer")
    def get_root() -> Response:
        """The list of orders is the first page."""
        return RedirectResponse("/orders", 303)

    return router
