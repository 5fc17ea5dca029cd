"""Import orders, export status and tracking, sync articles: by number, or records that are there; fetch orders again.

With JavaScript the form says what each number is before it is sent (`numbers.js`); without it the receipt tells.
"""

from __future__ import annotations

import re
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.chosen import Choice, FormId, Id, choice
from services.journal.pages.frame import frame
from services.journal.pages.scope import place, see, spoken
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.db.connect import Connection
from shared.people.audit import audit
from shared.records.actions import MOST_NUMBERS, request_selected
from shared.records.actions import request as ask
from shared.records.bulk import preview
from shared.records.filter import FilterError
from shared.records.interfaces import modes
from shared.records.resources import ARTICLES, ORDERS, Resource
from shared.records.selected import MOST, TooMany

BETWEEN = re.compile(r"[\s,;]+")
BETWEEN_SKUS = re.compile(r"\s*[\n\r\t,;]\s*")
"""A SKU may have blanks."""

FETCH = "fetch"
"""Read orders that are there from the marketplace again."""


def routes(journal: Journal, pages: Pages, resource: Resource) -> APIRouter:
    """`/orders/import` and `/orders/fetch`, `/exports/export` or `/articles/sync`."""
    router = guarded_router(journal)
    _add(router, journal, pages, resource, resource.verb)
    if resource is ORDERS:
        _add(router, journal, pages, resource, FETCH)
    return router


def _add(router: APIRouter, journal: Journal, pages: Pages, resource: Resource, path: str) -> None:
    name, verb, again = resource.name, resource.verb, path == FETCH
    between = BETWEEN_SKUS if resource is ARTICLES else BETWEEN

    def form(request: Request, status: int, slug: str | None = None, **given: Any) -> Response:
        reader = speaker(request)
        values = {
            "problem": None,
            "trouble": None,
            "interface": slug or "",
            "numbers": "",
            "text": "",
            "plan": None,
            "chosen": choice(None, "", slug, None),
            **given,
        }
        with journal.database() as conn:
            values |= frame(conn, name, slug) | spoken(resource, reader) | given
        values |= {"most": MOST_NUMBERS, "here": place(resource, slug), "path_verb": path, "again": again}
        values["longest"] = resource.number_length
        return pages.show(request, reader, "request.html", values, status)

    def planned(request: Request, chosen: Choice) -> Response:
        try:
            with journal.database() as conn:
                plan = preview(conn, resource.flow, **chosen.meant(conn, journal))
            if plan["counts"]["matched"] > MOST:
                raise TooMany(f"More than {MOST} records match: narrow the filter and run it again for the rest.")
        except (FilterError, TooMany) as error:
            return form(request, 400, chosen.slug, trouble=str(error), text=chosen.text)
        return form(request, 200, chosen.slug, text=chosen.text, plan=plan, chosen=chosen)

    @router.get(f"/{name}/{path}", name=f"get-{name}-{path}")
    @needs("operator")
    def get_form(
        request: Request,
        interface: str = "",
        filter: str = "",
        slug: str | None = None,
        id: Annotated[list[Id] | None, Query()] = None,
        excepted: Annotated[list[Id] | None, Query(alias="except")] = None,
        of: str = "",
    ) -> Response:
        """The form; with a choice of records, how many it would be."""
        chosen = choice(id, filter, slug or None, excepted, of)
        if chosen.nothing or (again and not of and not filter and not chosen.ids):
            return form(request, 422, chosen.slug, trouble=speaker(request).say("acts.nothing"), text=filter)
        if not filter and not chosen.ids and not of:
            return form(request, 200, slug or interface or None)
        return planned(request, chosen)

    @router.post(f"/{name}/{path}", name=f"post-{name}-{path}")
    @needs("operator")
    def post_form(
        request: Request,
        interface: Annotated[str, Form()] = "",
        numbers: Annotated[str, Form()] = "",
        id: Annotated[list[FormId] | None, Form()] = None,
        filter: Annotated[str, Form()] = "",
        slug: Annotated[str, Form()] = "",
        excepted: Annotated[list[FormId] | None, Form(alias="except")] = None,
        of: Annotated[str, Form()] = "",
        why: Annotated[str, Form()] = "",
        dry_run: Annotated[bool, Form()] = False,
    ) -> Response:
        """Ask by number, for some records (`id`) or for all that match, and show the receipt."""
        actor, reason = actor_of(request).name, why.strip()[:500].replace("\0", "") or None
        chosen = choice(id, filter, slug, excepted, of)
        with journal.database() as conn:
            if chosen.ids or filter or of:
                try:
                    meant = chosen.meant(conn, journal)
                    receipt = request_selected(conn, verb, actor, **meant, dry_run=dry_run, again=again)
                except (FilterError, TooMany):
                    return pages.error(request, speaker(request), 400)
                return answered(conn, request, receipt, actor, slug or None, reason)
            listed = [number for number in between.split(numbers.strip()) if number]
            known = modes(conn)
            if interface in known and 0 < len(listed) <= MOST_NUMBERS and "\0" not in numbers and not again:
                receipt = ask(conn, verb, interface, listed, actor, dry_run=dry_run)
                return answered(conn, request, receipt, actor, interface, reason)
        problem = "request.no-interface" if interface not in known else "request.numbers-problem"
        return form(request, 422, problem=problem, interface=interface, numbers=numbers.replace("\0", ""))

    def answered(
        conn: Connection, request: Request, receipt: UUID, actor: str, interface: str | None, why: str | None
    ) -> Response:
        audit(conn, actor, f"{name}.{path}", {"interface": interface, "receipt": str(receipt)}, why)
        return see(request, f"/receipts/{receipt}")
