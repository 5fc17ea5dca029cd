"""Groups: what is in trouble by its cause, what people say about a cause, and what ended it."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from starlette.requests import Request

from services.journal.api.bodies import GroupChange
from services.journal.asking import there
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.records.causes import CauseChange, UnknownAssignee, change_cause
from shared.records.filter import suggest
from shared.records.groups import Shown, list_groups, read_group
from shared.records.interfaces import modes
from shared.records.told_groups import told

Flow = Literal["order-import", "order-export", "stock"]


def routes(journal: Journal) -> APIRouter:
    """The calls of this resource."""
    router = guarded_router(journal, "/api/v1/groups")

    @router.get("", summary="List groups")
    @needs("viewer")
    def get_groups(
        request: Request,
        show: Shown = "open",
        interface: str | None = None,
        flow: Flow | None = None,
        language: Literal["de", "en"] = "en",
    ) -> dict[str, Any]:
        """Everything in trouble, by cause, the most harmful first. show: `resolved` are those that emptied today."""
        with journal.database() as conn:
            if interface is not None and interface not in modes(conn):
                raise ApiProblem(404, "interface-unknown", f"There is no interface “{interface}”.")
            found = list_groups(conn, journal.zone, shown=show, interface=interface, flow=flow)
        items = [told(one, journal.titles, language, actor_of(request)) for one in found.items]
        return {"items": items, "counts": found.counts, "records": found.records}

    @router.get("/{id}", summary="Read one group")
    @needs("viewer")
    def get_group(request: Request, id: str, language: Literal["de", "en"] = "en") -> dict[str, Any]:
        """One group, also one that is resolved."""
        with journal.database() as conn:
            found = there(read_group(conn, journal.zone, id), "group")
        return told(found, journal.titles, language, actor_of(request))

    @router.patch("/{id}", summary="Say something about a group")
    @needs("operator")
    def patch_group(
        request: Request, id: str, body: GroupChange, language: Literal["de", "en"] = "en"
    ) -> dict[str, Any]:
        """Write or take away a note, tell somebody to take care, acknowledge. What is left out stays as it is."""
        said = body.model_dump(exclude_unset=True)
        return change(request, id, CauseChange(**said), language)

    @router.put("/{id}", summary="Say everything about a group")
    @needs("operator")
    def put_group(request: Request, id: str, body: GroupChange, language: Literal["de", "en"] = "en") -> dict[str, Any]:
        """The same, whole: what is left out is taken away."""
        return change(request, id, CauseChange(body.note, body.assignee, bool(body.acknowledged)), language)

    def change(request: Request, id: str, wanted: CauseChange, language: Literal["de", "en"]) -> dict[str, Any]:
        actor = actor_of(request)
        with journal.database() as conn:
            try:
                if not change_cause(conn, id, wanted, actor.name):
                    raise ApiProblem(404, "not-found", "There is no such group.")
            except UnknownAssignee as error:
                near = suggest(error.name, error.names)
                meant = f" Did you mean {near}?" if near else ""
                raise ApiProblem(422, "assignee-unknown", f"{error}{meant}", {"suggestion": near}) from None
            found = there(read_group(conn, journal.zone, id), "group")
        return told(found, journal.titles, language, actor)

    return router
