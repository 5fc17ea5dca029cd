"""Style sheet, scripts and icon: held in memory, kept by browsers for as long as their address lasts."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.journal.guard import guarded_router, needs
from services.journal.render import TYPES, Pages
from services.journal.wiring import Journal


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/static/…`"""
    router = guarded_router(journal)

    @router.get("/static/{stamp}/{name}")
    @needs("public")
    def get_static(stamp: str, name: str) -> Response:  # noqa: ARG001 - the stamp is for the browser's store
        """One file."""
        if name not in pages.static:
            raise HTTPException(404)
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(pages.static[name], media_type=TYPES[name.rpartition(".")[2]], headers=headers)

    return router
