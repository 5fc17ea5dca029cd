"""Log in by the identity provider: to the provider, and back with a code. Only where the settings name one."""

from __future__ import annotations

import hmac
from typing import Annotated

import structlog
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.journal.browser_name import browser_of
from services.journal.came_from import came_from
from services.journal.cookies import drop_journey, journey_state, session_token, set_journey, set_session
from services.journal.guard import guarded_router, needs
from services.journal.inside import inside
from services.journal.language import speaker
from services.journal.logins import note_login
from services.journal.provider import Named, ProviderError
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.people.federated import Journey, come_back, provided_user, set_out
from shared.people.sessions import close_session, open_session
from shared.people.users import UserError, read_user

BACK = "/login/provider/back"


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/login/provider` and the way back."""
    router = guarded_router(journal)

    def refused(request: Request, problem: str, status: int) -> Response:
        values = {"problem": problem, "target": "/", "wait": 0, "provider": journal.provider is not None}
        answer = pages.show(request, speaker(request), "login.html", values, status)
        drop_journey(answer, journal.secure)
        return answer

    @router.get("/login/provider")
    @needs("everybody")
    def get_provider(request: Request, next: str = "/") -> Response:
        """Send the browser to the provider."""
        if journal.provider is None:
            return pages.error(request, speaker(request), 404)
        try:
            leaving = journal.provider.depart(journal.base_url + BACK)
        except ProviderError as error:
            structlog.get_logger().warning("identity provider", code=error.code)
            return refused(request, "login.provider_away", 503)
        with journal.database() as conn:
            set_out(conn, leaving.state, Journey(leaving.nonce, leaving.verifier, inside(next)))
        answer = RedirectResponse(leaving.url, 303)
        set_journey(answer, leaving.state, journal.secure)
        return answer

    @router.get(BACK)
    @needs("everybody")
    def get_back(
        request: Request,
        code: Annotated[str, Query(max_length=4096)] = "",
        state: Annotated[str, Query(max_length=200)] = "",
        iss: Annotated[str | None, Query(max_length=500)] = None,
    ) -> Response:
        """The provider's answer: open a session, or say why not."""
        if journal.provider is None:
            return pages.error(request, speaker(request), 404)
        # The state in this browser's cookie: nobody is logged in with an answer that another browser asked for.
        mine = journey_state(request, journal.secure)
        if not state or mine is None or not hmac.compare_digest(mine.encode(), state.encode()):
            return refused(request, "login.provider_again", 400)
        with journal.database() as conn:
            journey = come_back(conn, state)
        if journey is None or iss not in (None, journal.provider.client.issuer):
            return refused(request, "login.provider_again", 400)
        if not code:
            return refused(request, "login.provider_refused", 401)
        try:
            named = journal.provider.arrive(code, journey.verifier, journey.nonce, journal.base_url + BACK)
        except ProviderError as error:
            structlog.get_logger().warning("identity provider", code=error.code)
            away = error.code == "provider-away"
            return refused(request, "login.provider_away" if away else "login.provider_again", 503 if away else 401)
        if named.role is None:
            return refused(request, "login.provider_no_role", 403)
        token = _enter(request, named, named.role, journal.provider.client.issuer)
        if token is None:
            return refused(request, "login.provider_locked", 403)
        answer = RedirectResponse(journey.target, 303)
        drop_journey(answer, journal.secure)
        set_session(answer, token, journal.secure)
        return answer

    def _enter(request: Request, named: Named, role: str, issuer: str) -> str | None:
        """Open a session for whom the provider named; None for somebody who is locked out."""
        with journal.database() as conn, conn.transaction():
            try:
                user = provided_user(conn, issuer, named.subject, named.name, role)
            except UserError:
                return None
            if user is None:
                return None
            if (before := session_token(request, journal.secure)) is not None:
                close_session(conn, before)
            known = read_user(conn, user)
            note_login(conn, known["name"] if known else "", True, came_from(request, journal.trusted), "provider")
            return open_session(conn, user, browser_of(request))

    return router
