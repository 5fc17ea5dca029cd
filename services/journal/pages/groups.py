"""`/groups`: failures by cause, the most harmful first; one group; note, assignee, acknowledge."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import Speaker, speaker
from services.journal.pages.frame import frame
from services.journal.pages.scope import see
from services.journal.render import Pages
from services.journal.spark import spark
from services.journal.wiring import Journal
from shared.db.connect import Connection
from shared.records.causes import LONGEST_NOTE, CauseChange, UnknownAssignee, assignees, change_cause
from shared.records.groups import SHOWN, Shown, list_groups, read_group
from shared.records.interfaces import modes
from shared.records.told_groups import told

MOST = 100
"""As many groups stand on a page; what is left out is said."""


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/groups`, `/interfaces/{slug}/groups`, `/groups/{id}`."""
    router = guarded_router(journal)

    @router.get("/groups")
    @needs("viewer")
    def get_groups(request: Request, show: Shown = "open") -> Response:
        """All interfaces."""
        return page(request, None, show)

    @router.get("/interfaces/{slug}/groups")
    @needs("viewer")
    def get_groups_of_interface(request: Request, slug: str, show: Shown = "open") -> Response:
        """One interface."""
        return page(request, slug, show)

    def page(request: Request, slug: str | None, show: Shown) -> Response:
        reader = speaker(request)
        with journal.database() as conn:
            if slug is not None and slug not in modes(conn):
                return pages.error(request, reader, 404)
            found = list_groups(conn, reader.zone or journal.zone, shown=show, interface=slug)
            values = values_of(conn, request, reader, slug, found.items[:MOST])
        here = f"/interfaces/{slug}/groups" if slug else "/groups"
        more = {"show": show, "shown": SHOWN, "counts": found.counts, "records": found.records, "here": here}
        return pages.show(request, reader, "groups.html", values | more | {"left_out": len(found.items[MOST:])})

    @router.get("/groups/{id}")
    @needs("viewer")
    def get_group(request: Request, id: str) -> Response:
        """One group, with what was said about it."""
        reader = speaker(request)
        with journal.database() as conn:
            found = read_group(conn, reader.zone or journal.zone, id)
            if found is None:
                return pages.error(request, reader, 404)
            values = values_of(conn, request, reader, found["interface"], [found])
        return pages.show(request, reader, "group.html", values)

    @router.post("/groups/{id}")
    @needs("operator")
    def post_group(
        request: Request,
        id: str,
        note: Annotated[str | None, Form(max_length=LONGEST_NOTE)] = None,
        assignee: Annotated[str | None, Form(max_length=100)] = None,
        acknowledged: Annotated[bool | None, Form()] = None,
    ) -> Response:
        """Say something about it, and go back to it. The form sends both fields; a button acknowledges."""
        actor = actor_of(request).name
        if acknowledged is None:
            wanted = CauseChange(note or "", assignee or "")
        else:
            wanted = CauseChange(acknowledged=acknowledged)
        with journal.database() as conn:
            try:
                if not change_cause(conn, id, wanted, actor):
                    return pages.error(request, speaker(request), 404)
            except UnknownAssignee:
                return pages.error(request, speaker(request), 422)
        return see(request, f"/groups/{id}")

    def values_of(
        conn: Connection, request: Request, reader: Speaker, slug: str | None, found: list[dict[str, Any]]
    ) -> dict[str, Any]:
        actor = actor_of(request)
        groups = [told(one, journal.titles, reader.language, actor) | {"spark": spark(one["trend"])} for one in found]
        people = assignees(conn) if actor.at_least("operator") else []
        return frame(conn, "groups", slug) | {"groups": groups, "people": people, "longest_note": LONGEST_NOTE}

    assert get_args(Shown) == SHOWN
    return router
