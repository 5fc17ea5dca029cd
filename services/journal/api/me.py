"""Oneself: who asks, one's own language, time zone, password and sessions. For users; a token has none of these."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.requests import Request

from services.journal.api.bodies import OwnChange, OwnPassword
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.people import change_oneself, change_password, end_sessions
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.people import sessions
from shared.people.actor import Actor
from shared.people.throttle import Throttled
from shared.people.users import UserError


def routes(journal: Journal) -> APIRouter:
    """The calls of this resource."""
    router = guarded_router(journal, "/api/v1/me")

    def user_of(request: Request) -> Actor:
        actor = actor_of(request)
        if actor.user is None:
            raise ApiProblem(409, "not-a-user", "A token has neither language nor password nor sessions.")
        return actor

    @router.get("")
    @needs("viewer")
    def get_me(request: Request) -> dict[str, Any]:
        """Who asks, and with which role."""
        actor = actor_of(request)
        return {
            "name": actor.name,
            "role": actor.role,
            "language": actor.language,
            "time_zone": actor.time_zone,
            "may_reveal": actor.at_least("operator") or actor.may_reveal,
        }

    @router.post("")
    @needs("viewer")
    def post_me(request: Request, body: OwnChange) -> dict[str, Any]:
        """Choose language and time zone; "" is what browser and installation say."""
        try:
            change_oneself(journal, user_of(request), body.language, body.time_zone)
        except UserError as error:
            raise ApiProblem(422, error.code, str(error)) from None
        return body.model_dump(exclude_none=True)

    @router.post("/password")
    @needs("viewer")
    def post_password(request: Request, body: OwnPassword) -> dict[str, Any]:
        """Change the password; the other sessions end."""
        address = request.client.host if request.client else "?"
        try:
            if not change_password(journal, user_of(request), body.current, body.new, address):
                raise ApiProblem(422, "password-wrong", "The password in use is another one.")
        except UserError as error:
            raise ApiProblem(422, error.code, str(error)) from None
        except Throttled as error:
            raise ApiProblem(
                429, "throttled", "Too many tries: wait a moment.", headers={"Retry-After": str(error.after)}
            ) from None
        return {"changed": True}

    @router.get("/sessions")
    @needs("viewer")
    def get_sessions(request: Request) -> dict[str, Any]:
        """One's own open sessions; `current` is the one that asks."""
        actor = actor_of(request)
        if actor.user is None:
            return {"items": []}
        with journal.database() as conn:
            found = sessions.list_sessions(conn, actor.user)
        return {"items": [one | {"current": one["id"] == actor.session} for one in found]}

    @router.post("/sessions/end-others")
    @needs("viewer")
    def end_others(request: Request) -> dict[str, Any]:
        """End every session but this one."""
        end_sessions(journal, user_of(request), None)
        return {"ended": True}

    @router.post("/sessions/{id}/end")
    @needs("viewer")
    def end_one(request: Request, id: Annotated[int, Path(ge=1, lt=2**63)]) -> dict[str, Any]:
        """End one of one's own sessions."""
        if not end_sessions(journal, user_of(request), id):
            raise ApiProblem(404, "not-found", "You have no such session.")
        return {"ended": True}

    return router
