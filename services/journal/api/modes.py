"""Whether an interface, or a flow of it, runs: test, pause, live; and the rehearsal that comes before going live."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.journal.api.bodies import GoLive, OfFlow
from services.journal.asking import there
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.db.connect import Connection
from shared.people.audit import audit
from shared.records import dates
from shared.records.errands import ask_errand, read_errand
from shared.records.gate import alarm_offer, gate
from shared.records.go_live import back_to_test, go_live, pause
from shared.records.interfaces import modes
from shared.records.overview import interfaces
from shared.records.rehearsal import checklist

Language = Literal["de", "en"]


def routes(journal: Journal) -> APIRouter:
    """The calls."""
    router = guarded_router(journal, "/api/v1/interfaces")

    @router.get("/{slug}/rehearsal")
    @needs("viewer")
    def get_rehearsal(slug: str, language: Language = "en") -> dict[str, Any]:
        """The checklist: every item with its state and proof. `ready`: nothing of it is open."""
        with journal.database() as conn:
            known(conn, slug)
            items = [item.as_json() for item in checklist(conn, slug, language, journal.titles)]
        return {"interface": slug, "ready": all(item["state"] != "open" for item in items), "items": items}

    @router.post("/{slug}/rehearsal", status_code=202)
    @needs("operator")
    def post_rehearsal(request: Request, response: Response, slug: str) -> dict[str, Any]:
        """Look at both systems now; only reads. Answers with an errand, one under way is answered again."""
        actor = actor_of(request).name
        with journal.database() as conn, conn.transaction():
            known(conn, slug)
            errand = ask_errand(conn, "rehearsal", slug, actor)
            audit(conn, actor, "interfaces.rehearsal", {"interface": slug, "errand": str(errand)})
            found = there(read_errand(conn, errand), "errand")
        response.headers["Location"] = f"/api/v1/errands/{errand}"
        return found

    @router.post("/{slug}/live")
    @needs("operator")
    def post_live(request: Request, slug: str, body: GoLive, language: Language = "en") -> dict[str, Any]:
        """Switch live. Refused while the rehearsal has open items, each named; an admin may do it `anyway`."""
        actor = actor_of(request)
        with journal.database() as conn, conn.transaction():
            known(conn, slug)
            stands = gate(conn, slug, body.flow, language, journal.titles)
            if body.anyway is not None and not actor.at_least("admin"):
                raise ApiProblem(403, "not-allowed", f"The role {actor.role} may not go live without a rehearsal.")
            if stands.open and body.anyway is None:
                said = "; ".join(item.title for item in stands.open)
                more = {"open": [item.as_json() for item in stands.open]}
                raise ApiProblem(409, "rehearsal-open", f"The rehearsal is not done: {said}.", more)
            if body.from_ is None and stands.step.wants_date:
                detail = "Say from which date on orders are transferred: `from`. Older ones are skipped."
                raise ApiProblem(422, "from-date-missing", detail)
            go_live(
                conn,
                slug,
                actor.name,
                flow=body.flow,
                from_date=moment(body.from_),
                missing=[item.name for item in stands.open],
                reason=body.anyway,
            )
            return shown(conn, slug) | {"alarm_offer": alarm_offer(slug, body.flow)}

    @router.post("/{slug}/pause")
    @needs("operator")
    def post_pause(request: Request, slug: str, body: OfFlow | None = None) -> dict[str, Any]:
        """Pause all of it, or one flow: events are still taken in, nothing is sent."""
        with journal.database() as conn:
            known(conn, slug)
            pause(conn, slug, actor_of(request).name, body.flow if body else None)
            return shown(conn, slug)

    @router.post("/{slug}/test-mode")
    @needs("operator")
    def post_test(request: Request, slug: str, body: OfFlow | None = None) -> dict[str, Any]:
        """Back to test: nothing goes on by itself, and going live has to be rehearsed again."""
        with journal.database() as conn:
            known(conn, slug)
            back_to_test(conn, slug, actor_of(request).name, body.flow if body else None)
            return shown(conn, slug)

    def moment(text: str | None) -> Any:
        try:
            return None if text is None else dates.read(text, journal.zone).start
        except ValueError:
            detail = f"“{text}” is not a date: write it as 2026-11-26 or 2026-11-26T08:00."
            raise ApiProblem(422, "date-not-understood", detail) from None

    return router


def known(conn: Connection, slug: str) -> None:
    """404 for an interface that is not there."""
    if slug not in modes(conn):
        raise ApiProblem(404, "interface-unknown", "There is no such interface.")


def shown(conn: Connection, slug: str) -> dict[str, Any]:
    """The interface as it stands now."""
    return there(next((one for one in interfaces(conn) if one["slug"] == slug), None), "interface")
