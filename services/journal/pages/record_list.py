"""The lists: filter, counters, table. The address is the state."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import Speaker, speaker
from services.journal.pages.frame import frame
from services.journal.pages.quick import quick
from services.journal.pages.saying import with_sentences
from services.journal.pages.scope import place, scope, spoken
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.db.connect import Connection
from shared.records.bulk_read import read_run
from shared.records.filter import FilterError, Term, parse
from shared.records.interfaces import modes
from shared.records.listing import ListingError, count_tests, counts_by_state, list_records
from shared.records.resources import Resource
from shared.records.states import WORST_FIRST

PAGE = 50


def routes(journal: Journal, pages: Pages, resource: Resource) -> APIRouter:
    """`/orders`, `/interfaces/{slug}/orders`, and what their buttons do; the same for the other resources."""
    router = guarded_router(journal)
    name, flow = resource.name, resource.flow

    @router.get(f"/{name}")
    @needs("viewer")
    def get_list(
        request: Request, filter: str = "", sort: str = "-updated", cursor: str | None = None, run: UUID | None = None
    ) -> Response:
        """All interfaces."""
        return show(request, None, filter, sort, cursor, run)

    @router.get(f"/interfaces/{{slug}}/{name}")
    @needs("viewer")
    def get_list_of_interface(
        request: Request,
        slug: str,
        filter: str = "",
        sort: str = "-updated",
        cursor: str | None = None,
        run: UUID | None = None,
    ) -> Response:
        """One interface."""
        return show(request, slug, filter, sort, cursor, run)

    def show(
        request: Request, slug: str | None, text: str, sort: str, cursor: str | None, run: UUID | None
    ) -> Response:
        reader = speaker(request)
        with journal.database() as conn:
            if slug is not None and slug not in modes(conn):
                return pages.error(request, reader, 404)
            values = frame(conn, name, slug) | {"text": text, "sort": sort, "run": run and read_run(conn, run)}
            try:
                values |= _found(conn, request, reader, resource, slug, text, sort, cursor, journal)
                values["items"] = with_sentences(
                    values["items"], journal.titles, values["interfaces"], reader, datetime.now(UTC)
                )
                status = 200
            except (FilterError, ListingError) as error:
                values |= {"problem": str(error), "items": [], "next": None, "count": 0, "capped": False, "counts": {}}
                said = error if isinstance(error, FilterError) else None
                values |= {"term": said and said.term, "detail": said and said.message, "base": "", "chosen": None}
                values |= {"suggestion": said and said.suggestion, "quick": [], "tests": 0}
                status = 400
        values |= {"paged": cursor is not None, "here": place(resource, slug)}
        return pages.show(request, reader, "records.html", values | spoken(resource, reader), status)

    return router


def _found(
    conn: Connection,
    request: Request,
    reader: Speaker,
    resource: Resource,
    slug: str | None,
    text: str,
    sort: str,
    cursor: str | None,
    journal: Journal,
) -> dict[str, Any]:
    wanted = scope(conn, journal, slug, text)
    page = list_records(
        conn,
        resource.flow,
        wanted,
        sort=sort,
        cursor=cursor,
        limit=PAGE,
        reveal=actor_of(request).at_least("operator"),
        language=reader.language,
    )
    written = parse(text, journal.zone)
    other = replace(written, terms=tuple(term for term in written.terms if not _about_state(term)))
    stateless = replace(wanted, terms=tuple(term for term in wanted.terms if not _about_state(term)))
    counts = counts_by_state(conn, resource.flow, stateless)
    about = [term for term in written.terms if _about_state(term)]
    chosen = about[0].atoms[0].value if len(about) == 1 and len(about[0].atoms) == 1 and not about[0].negated else None
    return {
        "problem": None,
        "suggestion": None,
        "items": page.items,
        "next": page.next,
        "count": page.count,
        "capped": page.capped,
        "counts": {str(state): counts[str(state)] for state in WORST_FIRST},
        "base": other.text,
        "chosen": chosen if about else "all",
        "quick": quick(resource, written),
        "tests": count_tests(conn, resource.flow, stateless),
    }


def _about_state(term: Term) -> bool:
    return all(atom.word == "state" for atom in term.atoms)
