"""Light, dark, or as the system has it: a cookie of this browser, so it holds before anybody is logged in."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.journal.guard import guarded_router, needs
from services.journal.inside import inside
from services.journal.render import THEME_COOKIE, Pages
from services.journal.wiring import Journal

YEAR = 365 * 86_400


def routes(journal: Journal, _pages: Pages) -> APIRouter:
    """`/theme`"""
    router = guarded_router(journal)

    @router.post("/theme")
    @needs("everybody")
    def post_theme(
        _request: Request,
        theme: Annotated[Literal["light", "dark", "system"], Form()],
        next: Annotated[str, Form()] = "/",
    ) -> Response:
        """Keep the choice and go back. It changes nothing for anybody else, so the audit does not hear of it."""
        response = RedirectResponse(inside(next), 303)
        if theme == "system":
            response.delete_cookie(THEME_COOKIE, path="/", secure=journal.secure, samesite="lax")
        else:
            response.set_cookie(
                THEME_COOKIE, theme, max_age=YEAR, path="/", secure=journal.secure, httponly=True, samesite="lax"
            )
        return response

    return router
