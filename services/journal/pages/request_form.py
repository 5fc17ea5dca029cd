"""Import orders, export status and tracking, sync articles: by number in a plain form, or records that are there."""

from __future__ import annotations

import re
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.frame import frame
from services.journal.pages.scope import place, scope, see, spoken
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.db.connect import Connection
from shared.people.audit import audit
from shared.records.actions import MOST_NUMBERS, request_selected
from shared.records.actions import request as ask
from shared.records.bulk import preview
from shared.records.filter import FilterError
from shared.records.interfaces import modes
from shared.records.resources import ARTICLES, Resource
from shared.records.selected import TooMany

BETWEEN = re.compile(r"[\s,;]+")
BETWEEN_SKUS = re.compile(r"\s*[\n\r\t,;]\s*")
"""A SKU may have blanks."""

Id = Annotated[int, Form(ge=1, lt=2**63)]


def routes(journal: Journal, pages: Pages, resource: Resource) -> APIRouter:
    """`/orders/import`, `/exports/export` or `/articles/sync`."""
    router = guarded_router(journal)
    name, verb = resource.name, resource.verb
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
            **given,
        }
        with journal.database() as conn:
            values |= frame(conn, name, slug) | spoken(resource, reader) | given
        values |= {"most": MOST_NUMBERS, "here": place(resource, slug)}
        return pages.show(request, reader, "request.html", values, status)

    @router.get(f"/{name}/{verb}")
    @needs("operator")
    def get_form(request: Request, interface: str = "", filter: str = "", slug: str | None = None) -> Response:
        """The form; with a filter, how many records it would be."""
        if not filter:
            return form(request, 200, slug or interface or None)
        with journal.database() as conn:
            try:
                plan = preview(conn, resource.flow, ids=None, filter=scope(conn, journal, slug, filter))
            except (FilterError, TooMany) as error:
                return form(request, 400, slug, trouble=str(error))
        return form(request, 200, slug, text=filter, plan=plan)

    @router.post(f"/{name}/{verb}")
    @needs("operator")
    def post_form(
        request: Request,
        interface: Annotated[str, Form()] = "",
        numbers: Annotated[str, Form()] = "",
        id: Annotated[list[Id] | None, Form()] = None,
        filter: Annotated[str, Form()] = "",
        slug: Annotated[str, Form()] = "",
        dry_run: Annotated[bool, Form()] = False,
    ) -> Response:
        """Ask by number, for some records (`id`) or for all that match, and show the receipt."""
        actor = actor_of(request).name
        with journal.database() as conn:
            if id or filter:
                try:
                    wanted = None if id else scope(conn, journal, slug or None, filter)
                    receipt = request_selected(conn, verb, actor, ids=id, filter=wanted, dry_run=dry_run)
                except (FilterError, TooMany):
                    return pages.error(request, speaker(request), 400)
                return answered(conn, request, receipt, actor, slug or None)
            listed = [number for number in between.split(numbers.strip()) if number]
            known = modes(conn)
            if interface in known and 0 < len(listed) <= MOST_NUMBERS and "\0" not in numbers:
                receipt = ask(conn, verb, interface, listed, actor, dry_run=dry_run)
                return answered(conn, request, receipt, actor, interface)
        problem = "request.no-interface" if interface not in known else "request.numbers-problem"
        return form(request, 422, problem=problem, interface=interface, numbers=numbers.replace("\0", ""))

    def answered(conn: Connection, request: Request, receipt: UUID, actor: str, interface: str | None) -> Response:
        audit(conn, actor, f"{name}.{verb}", {"interface": interface, "receipt": str(receipt)})
        return see(request, f"/receipts/{receipt}")

    return router
