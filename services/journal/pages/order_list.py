"""The list of orders: filter, counters, table, retry of one or of all that match. The address is the state."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote, urlencode
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import Speaker, speaker
from services.journal.pages.frame import frame
from services.journal.pages.saying import with_sentences
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.db.connect import Connection
from shared.people.audit import audit
from shared.records.bulk import preview, read_run, retry_ids, retry_matching
from shared.records.filter import Atom, Filter, FilterError, Term, parse
from shared.records.interfaces import modes
from shared.records.listing import ListingError, counts_by_state, list_records
from shared.records.selected import TooMany
from shared.records.states import WORST_FIRST

FLOW = "order-import"
PAGE = 50


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/`, `/orders`, `/interfaces/{slug}/orders`, and what their buttons do."""
    router = guarded_router(journal)

    @router.get("/")
    @needs("viewer")
    def get_root() -> Response:
        """The list of orders is the first page."""
        return RedirectResponse("/orders", 303)

    @router.get("/orders")
    @needs("viewer")
    def get_orders(
        request: Request, filter: str = "", sort: str = "-updated", cursor: str | None = None, run: UUID | None = None
    ) -> Response:
        """All interfaces."""
        return show(request, None, filter, sort, cursor, run)

    @router.get("/interfaces/{slug}/orders")
    @needs("viewer")
    def get_interface_orders(
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
            values = frame(conn, "orders", slug) | {"text": text, "sort": sort, "run": run and read_run(conn, run)}
            try:
                values |= _found(conn, request, reader, slug, text, sort, cursor, journal)
                erps = {one["slug"]: journal.titles.get(one["erp"], one["erp"]) for one in values["interfaces"]}
                values["items"] = with_sentences(values["items"], erps, reader, datetime.now(UTC))
                status = 200
            except (FilterError, ListingError) as error:
                values |= {"problem": str(error), "items": [], "next": None, "count": 0, "capped": False, "counts": {}}
                said = error if isinstance(error, FilterError) else None
                values |= {"term": said and said.term, "detail": said and said.message, "base": "", "chosen": None}
                values["suggestion"] = said and said.suggestion
                status = 400
        return pages.show(request, reader, "orders.html", values | {"paged": cursor is not None}, status)

    @router.get("/orders/retry")
    @needs("operator")
    def get_retry(request: Request, filter: str = "", slug: str | None = None) -> Response:
        """What a retry of all that match would touch."""
        reader = speaker(request)
        with journal.database() as conn:
            values = frame(conn, "orders", slug) | {"text": filter, "problem": None, "plan": None}
            try:
                values["plan"] = preview(conn, FLOW, ids=None, filter=_scope(conn, journal, slug, filter))
            except (FilterError, TooMany) as error:
                values["problem"] = str(error)
        return pages.show(request, reader, "retry.html", values, 400 if values["problem"] else 200)

    @router.post("/orders/retry")
    @needs("operator")
    def post_retry(
        request: Request,
        filter: Annotated[str, Form()] = "",
        slug: Annotated[str, Form()] = "",
        id: Annotated[int | None, Form(ge=1, lt=2**63)] = None,
        back: Annotated[str, Form()] = "list",
    ) -> Response:
        """Retry one record (`id`), or all that match. Goes back to the list, or to the order."""
        actor = actor_of(request).name
        with journal.database() as conn:
            try:
                if id is not None:
                    run = retry_ids(conn, FLOW, [id], actor)
                else:
                    run = retry_matching(conn, FLOW, _scope(conn, journal, slug or None, filter), (), actor)
            except (FilterError, TooMany):
                return pages.error(request, speaker(request), 400)
            audit(conn, actor, "orders.retry", {"run": run["id"], "counts": run["counts"]})
        path = f"/orders/{id}" if back == "order" and id else f"/interfaces/{slug}/orders" if slug else "/orders"
        return _see(request, path, filter=filter, run=run["id"])

    return router


def _see(request: Request, path: str, **query: str) -> Response:
    chosen = {"lang": request.query_params.get("lang") or "", **query}
    said = urlencode({name: value for name, value in chosen.items() if value})
    return RedirectResponse(quote(path) + (f"?{said}" if said else ""), 303)


def _scope(conn: Connection, journal: Journal, slug: str | None, text: str) -> Filter:
    """The filter, limited to the page's interface."""
    known = modes(conn)
    wanted = parse(text, journal.zone, known)
    if slug is None:
        return wanted
    if slug not in known:
        raise FilterError(slug, "There is no such interface.")
    return replace(wanted, terms=(Term((Atom("interface", ":", slug),)), *wanted.terms))


def _found(
    conn: Connection,
    request: Request,
    reader: Speaker,
    slug: str | None,
    text: str,
    sort: str,
    cursor: str | None,
    journal: Journal,
) -> dict[str, Any]:
    scope = _scope(conn, journal, slug, text)
    page = list_records(
        conn,
        FLOW,
        scope,
        sort=sort,
        cursor=cursor,
        limit=PAGE,
        reveal=actor_of(request).at_least("operator"),
        language=reader.language,
    )
    written = parse(text, journal.zone)
    other = replace(written, terms=tuple(term for term in written.terms if not _about_state(term)))
    counts = counts_by_state(conn, FLOW, replace(scope, terms=tuple(t for t in scope.terms if not _about_state(t))))
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
    }


def _about_state(term: Term) -> bool:
    return all(atom.word == "state" for atom in term.atoms)
