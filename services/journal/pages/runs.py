"""Bulk runs: the newest, and one with its progress, what failed again and what was left alone; cancel, undo, go on."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.frame import frame
from services.journal.pages.scope import see, spoken
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.people.audit import audit
from shared.records.bulk_end import cancel, go_on
from shared.records.bulk_read import list_runs, read_run
from shared.records.filter import FilterError, parse
from shared.records.resources import OF_FLOW

PAGE = 100
MOVING = ("undo-window", "running", "paused")


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/runs`, `/runs/{id}` and its buttons."""
    router = guarded_router(journal)

    @router.get("/runs")
    @needs("viewer")
    def get_runs(request: Request) -> Response:
        """The newest."""
        reader = speaker(request)
        with journal.database() as conn:
            found = list_runs(conn, limit=PAGE + 1)
            values = frame(conn, "runs") | {"runs": found[:PAGE], "more": len(found) > PAGE}
        values["moving"] = any(one["state"] in MOVING for one in values["runs"])
        return pages.show(request, reader, "runs.html", values)

    @router.get("/runs/{id}")
    @needs("viewer")
    def get_run(request: Request, id: UUID) -> Response:
        """One."""
        reader = speaker(request)
        with journal.database() as conn:
            run = read_run(conn, id)
            if run is None:
                return pages.error(request, reader, 404)
            resource = OF_FLOW[run["flow"]]
            values = frame(conn, "runs") | spoken(resource, reader) | {"run": run}
        open_ = run["progress"]["open"] > 0 and run["state"] in ("cancelled", "stopped")
        values |= {"moving": run["state"] in MOVING or open_, "terms": _terms(run["filter"], journal)}
        return pages.show(request, reader, "run.html", values)

    @router.post("/runs/{id}/cancel")
    @needs("operator")
    def post_cancel(request: Request, id: UUID) -> Response:
        """Undo it, or let nothing more begin."""
        actor = actor_of(request).name
        with journal.database() as conn, conn.transaction():
            ended = cancel(conn, id, actor)
            if ended:
                audit(conn, actor, "bulk.cancel", {"run": str(id)})
        return pages.error(request, speaker(request), 404) if ended is None else see(request, f"/runs/{id}")

    @router.post("/runs/{id}/resume")
    @needs("operator")
    def post_resume(request: Request, id: UUID) -> Response:
        """Set the rest due although too many failed again."""
        actor = actor_of(request).name
        with journal.database() as conn, conn.transaction():
            goes = go_on(conn, id)
            if goes:
                audit(conn, actor, "bulk.resume", {"run": str(id)})
        return pages.error(request, speaker(request), 404) if goes is None else see(request, f"/runs/{id}")

    return router


def _terms(text: str | None, journal: Journal) -> list[str]:
    try:
        return [term.text for term in parse(text or "", journal.zone).terms]
    except FilterError:  # what a word meant may be gone
        return [text or ""]
