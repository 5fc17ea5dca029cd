"""The lists: filter, counters, table. The address is the state."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.found import found, not_understood
from services.journal.pages.frame import frame
from services.journal.pages.saying import with_sentences
from services.journal.pages.scope import place, see, spoken
from services.journal.pages.view import SIZES, View
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.records.bulk_read import read_run
from shared.records.filter import FilterError
from shared.records.interfaces import modes
from shared.records.pasted import as_filter
from shared.records.resources import Resource
from shared.records.sorts import ListingError


def routes(journal: Journal, pages: Pages, resource: Resource) -> APIRouter:
    """`/orders`, `/interfaces/{slug}/orders`; the same for the other resources."""
    router = guarded_router(journal)
    name = resource.name

    @router.get(f"/{name}")
    @needs("viewer")
    def get_list(request: Request, view: Annotated[View, Query()]) -> Response:
        """All interfaces."""
        return show(request, None, view)

    @router.get(f"/interfaces/{{slug}}/{name}")
    @needs("viewer")
    def get_list_of_interface(request: Request, slug: str, view: Annotated[View, Query()]) -> Response:
        """One interface."""
        return show(request, slug, view)

    def show(request: Request, slug: str | None, view: View) -> Response:
        reader = speaker(request)
        if (listed := as_filter(view.filter)) != view.filter:
            kept = {key: str(value) for key, value in view.kept().items() if value}
            return see(request, place(resource, slug), filter=listed, **kept)
        with journal.database() as conn:
            if slug is not None and slug not in modes(conn):
                return pages.error(request, reader, 404)
            values = frame(conn, name, slug) | {"run": view.run and read_run(conn, view.run)}
            try:
                values |= found(conn, journal, reader, resource, slug, view, actor_of(request))
                values["items"] = with_sentences(
                    values["items"],
                    journal.titles,
                    values["interfaces"],
                    reader,
                    datetime.now(UTC),
                    reader.zone or journal.zone,
                )
                status = 200
            except (FilterError, ListingError) as error:
                values |= not_understood(error)
                status = 400
        values |= {"text": view.filter, "size": view.size, "first_row": view.at, "kept": view.kept()}
        values |= {
            "paged": view.cursor is not None or view.before is not None,
            "here": place(resource, slug),
            "sizes": SIZES,
        }
        return pages.show(request, reader, "records.html", values | spoken(resource, reader), status)

    return router
