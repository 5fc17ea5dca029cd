"""The forms of the menu "views": save what is looked at under a name, delete one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.journal.guard import actor_of, guarded_router, needs
from services.journal.inside import inside
from services.journal.language import speaker
from services.journal.pages.scope import see
from services.journal.problem_json import ApiProblem
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.records.filter import FilterError
from shared.records.sorts import ListingError
from shared.records.views import ViewError, delete_view, save_view


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/views` and `/views/{id}/delete`"""
    router = guarded_router(journal)

    @router.post("/views")
    @needs("viewer")
    def post_view(
        request: Request,
        name: Annotated[str, Form()] = "",
        resource: Annotated[str, Form()] = "",
        filter: Annotated[str, Form()] = "",
        sort: Annotated[str, Form()] = "",
        shared: Annotated[bool, Form()] = False,
    ) -> Response:
        """Save it and show the list under it."""
        actor = actor_of(request)
        if shared and not actor.at_least("operator"):
            raise ApiProblem(403, "not-allowed", f"The role {actor.role} may not share views.")
        with journal.database() as conn:
            try:
                view = save_view(
                    conn, actor.name, name.replace("\0", ""), resource, filter, journal.zone, sort=sort, shared=shared
                )
            except (ViewError, FilterError, ListingError):
                return pages.error(request, speaker(request), 422)
        return see(request, f"/{view['resource']}", filter=view["filter"], sort=view["sort"])

    @router.post("/views/{id}/delete")
    @needs("viewer")
    def post_delete(
        request: Request, id: Annotated[int, Path(ge=1, lt=2**63)], next: Annotated[str, Form()] = "/orders"
    ) -> Response:
        """Delete it and go back."""
        actor = actor_of(request)
        with journal.database() as conn:
            if not delete_view(conn, id, actor.name, any_owner=actor.at_least("admin")):
                return pages.error(request, speaker(request), 404)
        return RedirectResponse(inside(next), 303)

    return router
