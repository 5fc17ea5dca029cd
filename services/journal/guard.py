"""Who may call what. A route is closed unless its handler says whom it is for; checked before the body is read.

A handler says so with `@needs("operator")`; one without is answered with 403 to everybody. A program sends
`Authorization: Bearer`, a browser a session cookie; with the former the latter is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeVar

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from services.journal.came_from import came_from
from services.journal.cookies import session_token
from services.journal.problem_json import ApiProblem
from services.journal.rates import NOT_COUNTED
from services.journal.wiring import Journal
from shared.people.actor import Actor
from shared.people.sessions import session_user
from shared.people.tokens import token_holder

Need = Literal["public", "everybody", "viewer", "operator", "admin", "publisher"]
Handler = TypeVar("Handler", bound=Callable[..., Any])
MARK = "__need__"


def needs(need: Need) -> Callable[[Handler], Handler]:
    """Say who may call a handler. `publisher` also lets operators and admins in.

    `everybody` needs nobody, but the handler may look who it is; `public` is answered without asking the database.
    """

    def mark(handler: Handler) -> Handler:
        setattr(handler, MARK, need)
        return handler

    return mark


def need_of(endpoint: Callable[..., Any]) -> Need | None:
    """What a handler said, None where it said nothing."""
    need: Need | None = getattr(endpoint, MARK, None)
    return need


def actor_of(request: Request) -> Actor:
    """Who asks; only in handlers that need somebody."""
    actor = request.state.actor
    assert isinstance(actor, Actor)
    return actor


def guarded_router(journal: Journal, prefix: str = "") -> APIRouter:
    """A router whose routes are all checked."""

    class GuardedRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle, need = super().get_route_handler(), need_of(self.endpoint)

            async def check_first(request: Request) -> Response:
                request.state.actor = None if need == "public" else await run_in_threadpool(_who, journal, request)
                if need != "public":
                    _in_turn(journal, request)
                _admit(need, request.state.actor)
                return await handle(request)

            return check_first

    return APIRouter(prefix=prefix, route_class=GuardedRoute)


def _who(journal: Journal, request: Request) -> Actor | None:
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return None
        with journal.database() as conn:
            return token_holder(conn, token.strip())
    cookie = session_token(request, journal.secure)
    if cookie is None:
        return None
    with journal.database() as conn:
        return session_user(conn, cookie)


def _in_turn(journal: Journal, request: Request) -> None:
    if (request.method, request.url.path) in NOT_COUNTED:
        return
    actor: Actor | None = request.state.actor
    caller = f"actor {actor.name}" if actor is not None else f"address {came_from(request, journal.trusted)}"
    if wait := journal.rates.wait_of(caller):
        detail = f"Too many requests: at most {journal.rates.per_minute} a minute. Try again in {wait} s."
        raise ApiProblem(429, "too-many-requests", detail, headers={"Retry-After": str(wait)})


def _admit(need: Need | None, actor: Actor | None) -> None:
    if need == "public" or need == "everybody":  # mypy narrows this way only
        return
    if actor is None:
        raise ApiProblem(
            401,
            "login-needed",
            "Send a valid token as “Authorization: Bearer …”, or log in.",
            headers={"WWW-Authenticate": 'Bearer realm="connect"'},
        )
    if need == "publisher":
        allowed = actor.role == "publisher" or actor.at_least("operator")
    else:
        allowed = need is not None and actor.at_least(need)
    if not allowed:
        raise ApiProblem(403, "not-allowed", f"The role {actor.role} may not do this.")
