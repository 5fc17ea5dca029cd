"""Bulk runs: the newest, one, its records; cancel or undo one; let one that stopped go on."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request

from services.journal.asking import there
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.people.audit import audit
from shared.records.bulk_end import cancel, go_on
from shared.records.bulk_read import bulk_items, list_runs, read_run


def routes(journal: Journal) -> APIRouter:
    """The calls under `/api/v1/bulk`."""
    router = guarded_router(journal, "/api/v1")

    @router.get("/bulk", tags=["bulk"], summary="List bulk runs")
    @needs("viewer")
    def get_all(
        cursor: Annotated[str | None, Query(max_length=100)] = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
    ) -> dict[str, Any]:
        """The newest first, without their records; `next` goes on."""
        with journal.database() as conn:
            found = list_runs(conn, before=_place(cursor), limit=limit + 1)
        last = found[limit - 1] if len(found) > limit else None
        return {"items": found[:limit], "next": last and f"{last['created_at'].isoformat()}_{last['id']}"}

    @router.get("/bulk/{id}", tags=["bulk"], summary="Read a bulk run")
    @needs("viewer")
    def get_one(id: UUID) -> dict[str, Any]:
        """What was asked, by whom, how far it is, and what became of it.

        state: undo-window, running, paused, done, cancelled or stopped (too many failed again). progress counts all;
        done, skipped and failed_again name at most `listed` records each, `/bulk/{id}/items` pages through them.
        """
        with journal.database() as conn:
            return there(read_run(conn, id), "bulk run")

    @router.get("/bulk/{id}/items", tags=["bulk"], summary="Read the records of a bulk run")
    @needs("viewer")
    def get_items(
        id: UUID,
        state: Literal["failed", "left"] = "failed",
        after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    ) -> dict[str, Any]:
        """Those that failed again, or were left alone, with the reason; `after` is the id to go on from."""
        with journal.database() as conn:
            there(read_run(conn, id), "bulk run")
            found = bulk_items(conn, id, state, after, limit)
        return {"items": found, "next": found[-1]["id"] if len(found) == limit else None}

    @router.post("/bulk/{id}/cancel", tags=["bulk"], summary="Cancel or undo a bulk run")
    @needs("operator")
    def post_cancel(request: Request, id: UUID) -> dict[str, Any]:
        """In its undo window nothing happens at all; later what is done stays done, and nothing more is begun. One that
        is over already is answered as it is."""
        return change(request, id, "cancel")

    @router.post("/bulk/{id}/resume", tags=["bulk"], summary="Let a stopped bulk run go on")
    @needs("operator")
    def post_resume(request: Request, id: UUID) -> dict[str, Any]:
        """Sets the rest due of a run that stopped because too many failed again."""
        return change(request, id, "resume")

    def change(request: Request, id: UUID, verb: Literal["cancel", "resume"]) -> dict[str, Any]:
        actor = actor_of(request).name
        with journal.database() as conn, conn.transaction():
            changed = cancel(conn, id, actor) if verb == "cancel" else go_on(conn, id)
            if changed:
                audit(conn, actor, f"bulk.{verb}", {"run": str(id)})
            return there(read_run(conn, id), "bulk run")

    return router


def _place(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    at, _, id_ = cursor.partition("_")
    try:
        return datetime.fromisoformat(at.replace(" ", "+")), UUID(id_)
    except ValueError:
        raise ApiProblem(400, "list-not-understood", "The cursor is none of this list.") from None
