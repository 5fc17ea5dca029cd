"""Interfaces: in which mode each is, and for one its flows, its rehearsal, and the buttons that switch it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from services.journal.api.interfaces import tested
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.frame import frame
from services.journal.pages.room import room
from services.journal.pages.scope import see
from services.journal.problem_json import ApiProblem
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.db.connect import Connection
from shared.people.audit import audit
from shared.records import dates
from shared.records.errands import ask_errand, last_errands
from shared.records.gate import gate
from shared.records.go_live import back_to_test, go_live, pause
from shared.records.interfaces import modes
from shared.records.masked import read_masked
from shared.records.modes import FLOWS
from shared.records.rehearsal import checklist
from shared.runtime.gaps import gaps


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/interfaces`, `/interfaces/{slug}`, and what its buttons do."""
    router = guarded_router(journal)

    @router.get("/interfaces")
    @needs("viewer")
    def get_interfaces(request: Request) -> Response:
        """All of them."""
        with journal.database() as conn:
            values = frame(conn, "interfaces")
            values["missing"] = (
                {one["slug"]: _missing(conn, journal, one["slug"]) for one in values["interfaces"]}
                if actor_of(request).at_least("operator")
                else {}
            )
        return pages.show(request, speaker(request), "interfaces.html", values)

    @router.get("/interfaces/{slug}")
    @needs("viewer")
    def get_interface(request: Request, slug: str) -> Response:
        """One of them."""
        return show(request, slug)

    def show(request: Request, slug: str, status: int = 200, **given: Any) -> Response:
        reader = speaker(request)
        with journal.database() as conn:
            values = room(conn, slug, "overview")
            if values is None:
                return pages.error(request, reader, 404)
            errand = last_errands(conn, slug).get("rehearsal")
            stands = gate(conn, slug, None, reader.language, journal.titles)
            values |= {
                "lacks": _missing(conn, journal, slug) if actor_of(request).at_least("operator") else 0,
                "tested": None,
                "items": checklist(conn, slug, reader.language, journal.titles),
                "errand": errand,
                "moving": errand is not None and errand["finished_at"] is None,
                "missing": stands.open,
                "wants_date": stands.step.wants_date,
                "problem": None,
                "from_": "",
                "why": "",
                "today": datetime.now(reader.zone or journal.zone).date().isoformat(),
                **given,
            }
        return pages.show(request, reader, "interface.html", values, status)

    @router.post("/interfaces/{slug}/rehearsal")
    @needs("operator")
    def post_rehearsal(request: Request, slug: str) -> Response:
        """Look at both systems now."""
        actor = actor_of(request).name
        with journal.database() as conn, conn.transaction():
            if slug not in modes(conn):
                return pages.error(request, speaker(request), 404)
            errand = ask_errand(conn, "rehearsal", slug, actor)
            audit(conn, actor, "interfaces.rehearsal", {"interface": slug, "errand": str(errand)})
        return see(request, f"/interfaces/{slug}")

    @router.post("/interfaces/{slug}/connections")
    @needs("operator")
    def post_connections(request: Request, slug: str) -> Response:
        """Test the connections of both sides now; changes nothing there."""
        try:
            found = tested(journal, slug, actor_of(request).name, speaker(request).language)
        except ApiProblem as error:
            if error.status == 404:
                return pages.error(request, speaker(request), 404)
            return show(request, slug, error.status, problem="interfaces.untested")
        return show(request, slug, tested=found)

    @router.post("/interfaces/{slug}/live")
    @needs("operator")
    def post_live(
        request: Request,
        slug: str,
        flow: Annotated[str, Form()] = "",
        from_: Annotated[str, Form(alias="from")] = "",
        anyway: Annotated[str, Form()] = "",
    ) -> Response:
        """Switch live, or say what is missing."""
        actor, why = actor_of(request), anyway.strip()
        given: dict[str, Any] = {"from_": from_, "why": why}
        with journal.database() as conn, conn.transaction():
            if not there(conn, slug, flow):
                return pages.error(request, speaker(request), 404)
            stands = gate(conn, slug, flow or None)
            if why and not actor.at_least("admin"):
                return pages.error(request, speaker(request), 403)
            try:
                since = dates.read(from_.strip(), journal.zone).start if from_.strip() else None
            except ValueError:
                return show(request, slug, 422, problem="interfaces.bad_date", **given)
            if stands.open and len(why) < 3:
                return show(request, slug, 409, problem="interfaces.refused", **given)
            if since is None and stands.step.wants_date:
                return show(request, slug, 422, problem="interfaces.no_date", **given)
            missing = [item.name for item in stands.open]
            go_live(
                conn, slug, actor.name, flow=flow or None, from_date=since, missing=missing, reason=why[:500] or None
            )
        return see(request, f"/interfaces/{slug}")

    @router.post("/interfaces/{slug}/pause")
    @needs("operator")
    def post_pause(request: Request, slug: str, flow: Annotated[str, Form()] = "") -> Response:
        """Pause all of it, or a flow."""
        with journal.database() as conn:
            if not there(conn, slug, flow):
                return pages.error(request, speaker(request), 404)
            pause(conn, slug, actor_of(request).name, flow or None)
        return see(request, f"/interfaces/{slug}")

    @router.post("/interfaces/{slug}/test")
    @needs("operator")
    def post_test(request: Request, slug: str) -> Response:
        """Back to test."""
        with journal.database() as conn:
            if not there(conn, slug, ""):
                return pages.error(request, speaker(request), 404)
            back_to_test(conn, slug, actor_of(request).name)
        return see(request, f"/interfaces/{slug}")

    return router


def _missing(conn: Connection, journal: Journal, slug: str) -> int:
    """How many mappings and settings it lacks that every order needs or that records wait for."""
    masked = read_masked(conn, slug)
    return sum(gap.always for gap in gaps(conn, masked, journal.connectors)) if masked else 0


def there(conn: Connection, slug: str, flow: str) -> bool:
    """Whether there is such an interface, with such a flow."""
    return slug in modes(conn) and flow in ("", *FLOWS)
