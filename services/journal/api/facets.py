"""Facets of a list, and what may stand where somebody writes in its filter."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.journal.asking import understood
from services.journal.guard import guarded_router, needs
from services.journal.wiring import Journal
from shared.records.facets import as_json, facets
from shared.records.filter import LONGEST, parse
from shared.records.interfaces import modes
from shared.records.resources import Resource
from shared.records.suggestions import suggestions
from shared.unseen import in_text


def routes(journal: Journal, resource: Resource) -> APIRouter:
    """The calls of one resource. They stand before those that take an id."""
    router = guarded_router(journal, f"/api/v1/{resource.name}")

    @router.get("/facets", summary=f"Count {resource.name} by facet")
    @needs("viewer")
    def count(filter: str = "") -> dict[str, Any]:
        """Facet → value → count. Each facet ignores its own terms; `capped` says that there are at least so many."""
        with journal.database() as conn, understood():
            return {"facets": as_json(facets(conn, resource.flow, parse(filter, journal.zone, modes(conn))))}

    @router.get("/suggest", summary=f"Suggest what to filter {resource.name} by")
    @needs("viewer")
    def suggest(
        filter: Annotated[str, Query(max_length=LONGEST)] = "", at: Annotated[int | None, Query(ge=0)] = None
    ) -> dict[str, Any]:
        """For a caret that stands behind `at` characters, without it behind all: the filter that each leads to.

        A label is for reading: what nobody sees in it is written as `[U+202E]`.
        """
        with journal.database() as conn:
            interfaces = sorted(modes(conn))
            caret = len(filter) if at is None else at
            found = suggestions(conn, resource.flow, filter, caret, journal.zone, interfaces)
        return {
            "items": [
                {"text": one.text, "label": in_text(one.label), "at": one.caret}
                | (one.count.as_json() if one.count is not None else {"count": None, "capped": False})
                for one in found
            ]
        }

    return router
