"""A person's data, for admins: look up, hand out, erase; receipts and legal holds. The same functions as the API's."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from services.journal.api.privacy import handed_out
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.frame import frame
from services.journal.pages.scope import see
from services.journal.problem_json import ApiProblem
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.privacy.deed import DeedOver, ask, go_on_to_erase, list_deeds, read_deed
from shared.privacy.holds import hold, list_holds, release
from shared.privacy.retention import walks
from shared.privacy.steps import share, standing
from shared.privacy.subject import SubjectError, subject

SHOWN = 50
REFRESH = {"Refresh": "2"}
"""A deed under way is looked at again without a script."""


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/privacy` and `/privacy/{id}`."""
    router = guarded_router(journal)

    def show(request: Request, status: int = 200, **given: Any) -> Response:
        with journal.database() as conn:
            values = frame(conn, "privacy") | {
                "deeds": list_deeds(conn, SHOWN),
                "holds": list_holds(conn),
                "by_age": walks(conn),
                "wrong": None,
                "wrong_hold": None,
                "given": {},
                **given,
            }
        return pages.show(request, speaker(request), "privacy.html", values, status)

    def show_one(request: Request, id: UUID, status: int = 200, wrong: str | None = None) -> Response:
        reader = speaker(request)
        with journal.database() as conn:
            deed = read_deed(conn, id)
            if deed is None:
                return pages.error(request, reader, 404)
            found = deed.over and deed.subject is not None
            values = frame(conn, "privacy") | {
                "deed": deed,
                "share": share(conn, id),
                "would": standing(conn, id) if found else None,
                "wrong": wrong,
            }
        answer = pages.show(request, reader, "privacy_deed.html", values, status)
        if not deed.over:
            answer.headers.update(REFRESH)
        return answer

    @router.get("/privacy")
    @needs("admin")
    def get_privacy(request: Request) -> Response:
        """Whom to look up, the receipts, and what is held."""
        return show(request)

    @router.post("/privacy")
    @needs("admin")
    def post_privacy(
        request: Request,
        reason: Annotated[str, Form()] = "",
        email: Annotated[str, Form()] = "",
        phone: Annotated[str, Form()] = "",
        name: Annotated[str, Form()] = "",
        zip_code: Annotated[str, Form()] = "",
        number: Annotated[str, Form()] = "",
        interface: Annotated[str, Form()] = "",
    ) -> Response:
        """Look a person up. What was entered is in no address: only the receipt's id is."""
        said = {"email": email, "phone": phone, "name": name, "zip_code": zip_code, "number": number}
        try:
            with journal.database() as conn:
                who = subject(**said, interface=interface)
                deed = ask(conn, "find", who, actor_of(request).name, reason)
        except SubjectError as error:
            return show(request, 422, wrong=error.wrong, given={**said, "interface": interface, "reason": reason})
        return see(request, f"/privacy/{deed}")

    @router.post("/privacy/holds")
    @needs("admin")
    def post_hold(
        request: Request,
        interface: Annotated[str, Form()] = "",
        number: Annotated[str, Form()] = "",
        reason: Annotated[str, Form()] = "",
        held: Annotated[str, Form()] = "",
    ) -> Response:
        """Hold an order's data, or release it."""
        deed = hold if held else release
        try:
            with journal.database() as conn:
                wrong = None if deed(conn, interface, number.strip(), actor_of(request).name, reason) else "order"
        except SubjectError as error:
            wrong = error.wrong
        if wrong:
            return show(request, 422, wrong_hold=wrong, given={"held_number": number, "held_reason": reason})
        return see(request, "/privacy")

    @router.get("/privacy/{id}")
    @needs("admin")
    def get_deed(request: Request, id: UUID) -> Response:
        """One receipt: how far it is, what was found, what would stay."""
        return show_one(request, id)

    @router.post("/privacy/{id}/export")
    @needs("admin")
    def post_export(request: Request, id: UUID) -> Response:
        """What was found, as a file."""
        with journal.database() as conn:
            deed = read_deed(conn, id)
        if deed is None:
            return pages.error(request, speaker(request), 404)
        try:
            return handed_out(journal, actor_of(request).name, deed)
        except ApiProblem:
            return show_one(request, id, 409, "over")

    @router.post("/privacy/{id}/erase")
    @needs("admin")
    def post_erase(
        request: Request,
        id: UUID,
        reason: Annotated[str, Form()] = "",
        sure: Annotated[str, Form()] = "",
    ) -> Response:
        """Erase what was found; the box that it cannot be undone has to be ticked."""
        if not sure:
            return show_one(request, id, 422, "sure")
        try:
            with journal.database() as conn:
                go_on_to_erase(conn, id, actor_of(request).name, reason)
        except SubjectError as error:
            return show_one(request, id, 422, error.wrong)
        except DeedOver:
            return show_one(request, id, 409, "over")
        return see(request, f"/privacy/{id}")

    return router
