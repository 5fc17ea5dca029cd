"""Users and tokens, for admins. A token is shown once, in the answer that creates it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from services.journal.api.bodies import NewToken, NewUser, UserChange
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.people import change
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.people import tokens, users
from shared.people.audit import audit


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
        with journal.database() as conn, journal.hashing, conn.transaction():
            try:
                user_id = users.add_user(
                    conn, body.name, body.password, body.role, language=body.language, time_zone=body.time_zone
                )
            except users.UserError as error:
                raise ApiProblem(422, "user-not-possible", str(error)) from None
            audit(conn, actor_of(request).name, "users.add", {"user": body.name, "role": body.role})
        return {"id": user_id, "name": body.name.strip(), "role": body.role}

    @router.get("/users/{name}")
    @needs("admin")
    def get_user(name: str) -> dict[str, Any]:
        """One user."""
        with journal.database() as conn:
            found = users.find_user(conn, name)
        if found is None:
            raise ApiProblem(404, "not-found", "There is no such user.")
        return found

    @router.post("/users/{name}")
    @needs("admin")
    def change_user(request: Request, name: str, body: UserChange) -> dict[str, Any]:
        """Change role, language, time zone, or what a viewer may see; lock out, let in again, give another password.

        Sessions end when the user is locked out or gets another password. The last admin stays one.
        """
        try:
            changed = change(journal, actor_of(request), name, body.model_dump(exclude_none=True))
        except users.LastAdmin as error:
            raise ApiProblem(409, error.code, str(error)) from None
        except users.UserError as error:
            raise ApiProblem(422, error.code, str(error)) from None
        if changed is None:
            raise ApiProblem(404, "not-found", "There is no such user.")
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
        with journal.database() as conn, conn.transaction():
            try:
                token = tokens.create_token(conn, body.name, body.role, body.interfaces, body.expires_in_days)
            except tokens.TokenError as error:
                raise ApiProblem(422, "token-not-possible", str(error)) from None
            told = {"token": body.name, "role": body.role, "days": body.expires_in_days}
            audit(conn, actor_of(request).name, "tokens.create", told)
        return {
            "name": body.name.strip(), "role": body.role, "interfaces": body.interfaces,
            "expires_in_days": body.expires_in_days, "token": token,
        }  # fmt: skip

    @router.post("/tokens/{name}/revoke")
    @needs("admin")
    def revoke_token(request: Request, name: str) -> dict[str, Any]:
        """Take a token back."""
        with journal.database() as conn, conn.transaction():
            if not tokens.revoke_token(conn, name):
                raise ApiProblem(404, "not-found", "There is no such token.")
            audit(conn, actor_of(request).name, "tokens.revoke", {"token": name})
        return {"name": name, "revoked": True}

    return router
