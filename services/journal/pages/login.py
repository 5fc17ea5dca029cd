"""Log in and out. A wrong name and a wrong password look the same; too many tries say how long to wait."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.journal.browser_name import browser_of
from services.journal.came_from import came_from
from services.journal.cookies import drop_session, session_token, set_session
from services.journal.guard import guarded_router, needs
from services.journal.inside import inside
from services.journal.language import speaker
from services.journal.logins import note_login
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.people.sessions import close_session, open_session
from shared.people.throttle import Throttled
from shared.people.users import check_password


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/login` and `/logout`."""
    router = guarded_router(journal)

    def form(request: Request, problem: str | None, target: str, status: int = 200, wait: int = 0) -> Response:
        values = {"problem": problem, "target": target, "wait": wait, "provider": journal.provider is not None}
        headers = {"Retry-After": str(wait)} if wait else {}
        return pages.show(request, speaker(request), "login.html", values, status, headers)

    @router.get("/login")
    @needs("everybody")
    def get_login(request: Request, next: str = "/") -> Response:
        """The form."""
        if request.state.actor is not None:
            return RedirectResponse(inside(next), 303)
        return form(request, None, inside(next))

    @router.post("/login")
    @needs("everybody")
    def post_login(
        request: Request,
        user: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
        next: Annotated[str, Form()] = "/",
    ) -> Response:
        """Check name and password, open a session, go where the reader wanted to go."""
        address = came_from(request, journal.trusted)
        try:
            with journal.database() as conn:
                with journal.hashing:
                    user_id = check_password(conn, user, password, address)
                with conn.transaction():
                    note_login(conn, user, user_id is not None, address)
                    token = None if user_id is None else open_session(conn, user_id, browser_of(request))
                    before = session_token(request, journal.secure)
                    if token is not None and before is not None:
                        close_session(conn, before)
        except Throttled as error:
            return form(request, "login.throttled", inside(next), 429, error.after)
        if token is None:
            return form(request, "login.wrong", inside(next), 401)
        response = RedirectResponse(inside(next), 303)
        set_session(response, token, journal.secure)
        return response

    @router.post("/logout")
    @needs("everybody")
    def post_logout(request: Request) -> Response:
        """End the session, here and in the database."""
        token = session_token(request, journal.secure)
        if token is not None:
            with journal.database() as conn:
                close_session(conn, token)
        response = RedirectResponse("/login", 303)
        drop_session(response, journal.secure)
        return response

    return router
