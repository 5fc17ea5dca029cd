"""Saved views of the lists: one's own and the shared ones."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.requests import Request

from services.journal.api.bodies import Body
from services.journal.asking import understood
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.records.filter import LONGEST
from shared.records.views import ViewError, delete_view, list_views, save_view

Name = Literal["orders", "exports", "articles"]


class NewView(Body):
    """A view to save; under a name that you have already it replaces that one."""

    name: str = Field(min_length=1, max_length=200)
    resource: Name
    filter: str = Field("", max_length=LONGEST)
    sort: str | None = Field(None, max_length=40)
    shared: bool = False


def routes(journal: Journal) -> APIRouter:
    """The calls of these resources."""
    router = guarded_router(journal, "/api/v1")

    @router.get("/views")
    @needs("viewer")
    def list_(request: Request, resource: Name | None = None) -> dict[str, Any]:
        """Your views and the shared ones, by name."""
        with journal.database() as conn:
            return {"items": list_views(conn, actor_of(request).name, resource)}

    @router.post("/views", status_code=201)
    @needs("viewer")
    def save(request: Request, body: NewView) -> dict[str, Any]:
        """Save a view. To share it needs an operator."""
        actor = actor_of(request)
        if body.shared and not actor.at_least("operator"):
            raise ApiProblem(403, "not-allowed", f"The role {actor.role} may not share views, only keep its own.")
        with journal.database() as conn, understood():
            try:
                return save_view(
                    conn,
                    actor.name,
                    body.name,
                    body.resource,
                    body.filter,
                    journal.zone,
                    sort=body.sort,
                    shared=body.shared,
                )
            except ViewError as error:
                raise ApiProblem(422, "view-refused", str(error)) from None

    @router.delete("/views/{id}")
    @needs("viewer")
    def delete(request: Request, id: Annotated[int, Path(ge=1, lt=2**63)]) -> dict[str, Any]:
        """Delete a view of yours; an admin deletes shared ones of anybody too."""
        actor = actor_of(request)
        with journal.database() as conn:
            if not delete_view(conn, id, actor.name, any_owner=actor.at_least("admin")):
                raise ApiProblem(404, "not-found", "There is no such view of yours.")
        return {"id": id, "deleted": True}

    return router
