"""Oneself: language, time zone, password, and where one is logged in."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import available_timezones

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.frame import frame
from services.journal.pages.scope import see
from services.journal.people import change_oneself, change_password, end_sessions
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.people import sessions, users
from shared.people.throttle import Throttled


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/me` and what its buttons do."""
    router = guarded_router(journal)

    def show(request: Request, status: int = 200, **given: Any) -> Response:
        actor = actor_of(request)
        with journal.database() as conn:
            one = users.read_user(conn, actor.user) if actor.user is not None else None
            values = frame(conn, "me") | {
                "one": one,
                "current": actor.session,
                "sessions": sessions.list_sessions(conn, actor.user) if actor.user is not None else [],
                "zones": sorted(available_timezones()),
                "problem": None,
                "where": None,
                "done": request.query_params.get("done"),
                **given,
            }
        return pages.show(request, speaker(request), "me.html", values, status)

    @router.get("/me")
    @needs("viewer")
    def get_me(request: Request) -> Response:
        """The page."""
        return show(request)

    @router.post("/me")
    @needs("viewer")
    def post_me(
        request: Request, language: Annotated[str, Form()] = "", time_zone: Annotated[str, Form()] = ""
    ) -> Response:
        """Choose language and time zone."""
        actor = actor_of(request)
        if actor.user is None:
            return pages.error(request, speaker(request), 409)
        try:
            change_oneself(journal, actor, language, time_zone.strip())
        except users.UserError as error:
            return show(request, 422, problem=str(error), where="words")
        return see(request, "/me", done="words")

    @router.post("/me/password")
    @needs("viewer")
    def post_password(
        request: Request, current: Annotated[str, Form()] = "", new: Annotated[str, Form()] = ""
    ) -> Response:
        """Change the password; the other sessions end."""
        actor, say = actor_of(request), speaker(request).say
        if actor.user is None:
            return pages.error(request, speaker(request), 409)
        address = request.client.host if request.client else "?"
        try:
            if not change_password(journal, actor, current, new, address):
                return show(request, 422, problem=say("me.password_wrong"), where="password")
        except users.UserError:
            text = say("me.password_short", least=users.LEAST_PASSWORD, most=users.LONGEST_PASSWORD)
            return show(request, 422, problem=text, where="password")
        except Throttled as error:
            return show(request, 429, problem=say("login.throttled", wait=error.after), where="password")
        return see(request, "/me", done="password")

    @router.post("/me/sessions/end")
    @needs("viewer")
    def post_end(request: Request, session: Annotated[int | None, Form(ge=1, lt=2**63)] = None) -> Response:
        """End one session, or all but this one."""
        if not end_sessions(journal, actor_of(request), session):
            return pages.error(request, speaker(request), 404)
        return see(request, "/me", done="sessions")

    return router
