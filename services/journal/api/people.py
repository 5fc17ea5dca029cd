"""Users and tokens, for admins. A token is shown once, in the answer that creates it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from services.journal.api.bodies import NewToken, NewUser, UserChange
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.people import tokens, users
from shared.people.audit import audit
from shared.people.sessions import close_sessions


def routes(journal: Journal) -> APIRouter:
    """The calls of these resources."""
    router = guarded_router(journal, "/api/v1")

    @router.get("/users")
    @needs("admin")
    def get_users() -> dict[str, Any]:
        """Every user."""
        with journal.database() as conn:
            return {"items": users.list_users(conn)}

    @router.post("/users", status_code=201)
    @needs("admin")
    def post_user(request: Request, body: NewUser) -> dict[str, Any]:
        """Add a user."""
        with journal.database() as conn, journal.hashing:
            try:
                user_id = users.add_user(
                    conn, body.name, body.password, body.role, language=body.language, time_zone=body.time_zone
                )
            except users.UserError as error:
                raise ApiProblem(422, "user-not-possible", str(error)) from None
            audit(conn, actor_of(request).name, "users.add", {"user": body.name, "role": body.role})
        return {"id": user_id, "name": body.name.strip(), "role": body.role}

    @router.post("/users/{name}")
    @needs("admin")
    def change_user(request: Request, name: str, body: UserChange) -> dict[str, Any]:
        """Lock a user out, let it in again, or give it another password. Its sessions end."""
        with journal.database() as conn, journal.hashing:
            known = True
            try:
                if body.password is not None:
                    known = users.set_password(conn, name, body.password)
            except users.UserError as error:
                raise ApiProblem(422, "user-not-possible", str(error)) from None
            if known and body.active is not None:
                known = users.set_active(conn, name, body.active)
                close_sessions(conn, name)
            if not known:
                raise ApiProblem(404, "not-found", "There is no such user.")
            changed = sorted(body.model_dump(exclude_none=True))
            audit(conn, actor_of(request).name, "users.change", {"user": name, "changed": changed})
        return {"name": name, "changed": changed}

    @router.get("/tokens")
    @needs("admin")
    def get_tokens() -> dict[str, Any]:
        """Every token, without what opens doors."""
        with journal.database() as conn:
            return {"items": tokens.list_tokens(conn)}

    @router.post("/tokens", status_code=201)
    @needs("admin")
    def post_token(request: Request, body: NewToken) -> dict[str, Any]:
        """Create a token. `token` is shown this once."""
        with journal.database() as conn:
            try:
                token = tokens.create_token(conn, body.name, body.role, body.interfaces)
            except tokens.TokenError as error:
                raise ApiProblem(422, "token-not-possible", str(error)) from None
            audit(conn, actor_of(request).name, "tokens.create", {"token": body.name, "role": body.role})
        return {"name": body.name.strip(), "role": body.role, "interfaces": body.interfaces, "token": token}

    @router.post("/tokens/{name}/revoke")
    @needs("admin")
    def revoke_token(request: Request, name: str) -> dict[str, Any]:
        """Take a token back."""
        with journal.database() as conn:
            if not tokens.revoke_token(conn, name):
                raise ApiProblem(404, "not-found", "There is no such token.")
            audit(conn, actor_of(request).name, "tokens.revoke", {"token": name})
        return {"name": name, "revoked": True}

    return router
