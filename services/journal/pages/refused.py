"""Rejections for people: the list, one with its raw text and every problem, and a form to submit it again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.journal.api.rejections import resubmit, summary, whole
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.frame import frame
from services.journal.problem_json import ApiProblem
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.records.change import Outcome
from shared.records.rejections import list_rejections, read_rejection

PAGE = 50


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/rejections` and `/rejections/{id}`."""
    router = guarded_router(journal)

    @router.get("/rejections")
    @needs("viewer")
    def get_rejections(
        request: Request,
        cursor: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
        state: str = "open",
    ) -> Response:
        """The newest first."""
        reader = speaker(request)
        with journal.database() as conn:
            found = list_rejections(conn, state="open" if state == "open" else None, before=cursor, limit=PAGE + 1)
            values = frame(conn, "rejections") | {
                "items": [summary(one, reader.language) for one in found[:PAGE]],
                "next": found[PAGE - 1].id if len(found) > PAGE else None,
                "state": state,
            }
        return pages.show(request, reader, "rejections.html", values)

    @router.get("/rejections/{id}")
    @needs("viewer")
    def get_rejection(request: Request, id: int) -> Response:
        """One rejection."""
        reader = speaker(request)
        with journal.database() as conn:
            found = read_rejection(conn, id) if 0 < id < 2**63 else None
            if found is None:
                return pages.error(request, reader, 404)
            one = whole(found, actor_of(request).at_least("operator"), reader.language)
            exact = one["raw"] is not None and one["raw"].encode() == found.raw
            values = frame(conn, "rejections") | {"one": one, "exact": exact}
        return pages.show(request, reader, "rejection.html", values)

    @router.post("/rejections/{id}/resubmit")
    @needs("operator")
    def post_resubmit(
        request: Request, id: int, body: Annotated[str | None, Form()] = None, edited: Annotated[str, Form()] = ""
    ) -> Response:
        """Submit again. Without `edited` the bytes go in as they came, whatever the text field shows."""
        try:
            taken = resubmit(journal, id, body if edited else None, actor_of(request).name)
        except ApiProblem as error:
            return pages.error(request, speaker(request), error.status)
        if taken.outcome is not Outcome.REJECTED and taken.record_id is not None:
            return RedirectResponse(f"/orders/{taken.record_id}", 303)
        return RedirectResponse(f"/rejections/{taken.rejection_id or id}", 303)

    return router
