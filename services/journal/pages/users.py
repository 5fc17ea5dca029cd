"""Users and tokens for admins: who may do what. What opens a door is shown once, on the answer that made it."""

from __future__ import annotations

import secrets
from typing import Annotated, Any
from zoneinfo import available_timezones

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.frame import frame
from services.journal.pages.scope import see
from services.journal.people import change
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.people import tokens, users
from shared.people.actor import TOKEN_ROLES, USER_ROLES
from shared.people.audit import audit

MADE_LETTERS = 15
TOKEN_DAYS = (30, 90, tokens.USUAL_DAYS, 0)


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/users`, `/users/{id}` and `/tokens…`."""
    router = guarded_router(journal)

    def show(request: Request, status: int = 200, **given: Any) -> Response:
        with journal.database() as conn:
            values = frame(conn, "users") | {
                "users": users.list_users(conn),
                "tokens": tokens.list_tokens(conn),
                "user_roles": USER_ROLES,
                "token_roles": TOKEN_ROLES,
                "token_days": TOKEN_DAYS,
                "usual_days": tokens.USUAL_DAYS,
                "problem": None,
                "wrong": None,
                "made": None,
                "given": {},
                **given,
            }
        return pages.show(request, speaker(request), "users.html", values, status)

    def show_one(request: Request, id: int, status: int = 200, **given: Any) -> Response:
        reader = speaker(request)
        with journal.database() as conn:
            one = users.read_user(conn, id) if 0 < id < 2**63 else None
            if one is None:
                return pages.error(request, reader, 404)
            values = frame(conn, "users") | {
                "one": one,
                "user_roles": USER_ROLES,
                "zones": sorted(available_timezones()),
                "problem": None,
                "made": None,
                **given,
            }
        return pages.show(request, reader, "user.html", values, status)

    @router.get("/users")
    @needs("admin")
    def get_users(request: Request) -> Response:
        """Users and tokens."""
        return show(request)

    @router.post("/users")
    @needs("admin")
    def post_user(
        request: Request, name: Annotated[str, Form()] = "", role: Annotated[str, Form()] = "viewer"
    ) -> Response:
        """Add a user with a password that is made here and shown once."""
        password = secrets.token_urlsafe(MADE_LETTERS)
        try:
            with journal.database() as conn, journal.hashing, conn.transaction():
                users.add_user(conn, name, password, role)
                audit(conn, actor_of(request).name, "users.add", {"user": name.strip(), "role": role})
        except users.UserError as error:
            return show(request, 422, problem=str(error), wrong="user", given={"name": name, "role": role})
        return show(request, 201, made={"kind": "password", "name": name.strip(), "value": password})

    @router.get("/users/{id}")
    @needs("admin")
    def get_user(request: Request, id: int) -> Response:
        """One user."""
        return show_one(request, id)

    @router.post("/users/{id}")
    @needs("admin")
    def post_change(
        request: Request,
        id: int,
        role: Annotated[str, Form()],
        language: Annotated[str, Form()] = "",
        time_zone: Annotated[str, Form()] = "",
        may_reveal: Annotated[str, Form()] = "",
    ) -> Response:
        """Save role, language, time zone and what a viewer may see."""
        asked = {
            "role": role, "language": language, "time_zone": time_zone.strip(), "may_reveal": bool(may_reveal),
        }  # fmt: skip
        return _changed(request, id, asked)

    @router.post("/users/{id}/active")
    @needs("admin")
    def post_active(request: Request, id: int, active: Annotated[str, Form()] = "") -> Response:
        """Lock out, or let in again."""
        return _changed(request, id, {"active": bool(active)})

    @router.post("/users/{id}/password")
    @needs("admin")
    def post_password(request: Request, id: int) -> Response:
        """Make another password and show it once; the user's sessions end."""
        password = secrets.token_urlsafe(MADE_LETTERS)
        answer = _changed(request, id, {"password": password})
        return show_one(request, id, made=password) if answer.status_code == 303 else answer

    def _changed(request: Request, id: int, asked: dict[str, Any]) -> Response:
        with journal.database() as conn:
            one = users.read_user(conn, id) if 0 < id < 2**63 else None
        try:
            if one is None or change(journal, actor_of(request), one["name"], asked) is None:
                return pages.error(request, speaker(request), 404)
        except users.LastAdmin:
            return show_one(request, id, 409, problem=speaker(request).say("users.last_admin"))
        except users.UserError as error:
            return show_one(request, id, 422, problem=str(error))
        return see(request, f"/users/{id}")

    @router.post("/tokens")
    @needs("admin")
    def post_token(
        request: Request,
        name: Annotated[str, Form()] = "",
        role: Annotated[str, Form()] = "viewer",
        interfaces: Annotated[list[str] | None, Form()] = None,
        days: Annotated[int | None, Form(ge=0, le=tokens.LONGEST_DAYS)] = tokens.USUAL_DAYS,
    ) -> Response:
        """Make a token and show it once. days: 0 for one without an end."""
        chosen = (interfaces or None) if role == "publisher" else None
        try:
            with journal.database() as conn, conn.transaction():
                told = {"token": name.strip(), "role": role, "days": days or None}
                token = tokens.create_token(conn, name, role, chosen, days or None)
                audit(conn, actor_of(request).name, "tokens.create", told)
        except tokens.TokenError as error:
            return show(request, 422, problem=str(error), wrong="token", given={"token": name, "token_role": role})
        return show(request, 201, made={"kind": "token", "name": name.strip(), "value": token})

    @router.post("/tokens/revoke")
    @needs("admin")
    def post_revoke(request: Request, name: Annotated[str, Form()] = "") -> Response:
        """Take a token back."""
        with journal.database() as conn, conn.transaction():
            if not tokens.revoke_token(conn, name):
                return pages.error(request, speaker(request), 404)
            audit(conn, actor_of(request).name, "tokens.revoke", {"token": name})
        return see(request, "/users")

    return router
