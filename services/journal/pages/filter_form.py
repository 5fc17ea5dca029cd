"""Where the popovers of a list send their forms: it answers with the list under the text they make."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import guarded_router, needs
from services.journal.pages.rewrite import Set, between, choose, joined, numbers
from services.journal.pages.scope import place, see
from services.journal.pages.view import View
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.records.filter import LONGEST, SLUG, FilterError, parse
from shared.records.resources import Resource


class Form(View):
    """A view, and what one popover says. set: which; value: of a choice; the rest: of dates, and of pasted numbers."""

    set: Set
    slug: str = ""
    value: list[str] = Field(default_factory=list, max_length=200)
    since: str = ""
    since_time: str = ""
    until: str = ""
    until_time: str = ""
    numbers: str = Field("", max_length=LONGEST)


def routes(journal: Journal, _pages: Pages, resource: Resource) -> APIRouter:
    """`/orders/filter`; the same for the other resources."""
    router = guarded_router(journal)

    @router.get(f"/{resource.name}/filter")
    @needs("viewer")
    def get_filter(request: Request, form: Annotated[Form, Query()]) -> Response:
        """Go to the list with the filter that the form makes; what cannot be understood is said there."""
        slug = form.slug if SLUG.fullmatch(form.slug) else None
        kept = {name: str(value) for name, value in form.kept().items() if value}
        return see(request, place(resource, slug), filter=_text(form), **kept)

    def _text(form: Form) -> str:
        try:
            written = parse(form.filter, journal.zone)
        except FilterError:
            return form.filter
        since, until = joined(form.since, form.since_time), joined(form.until, form.until_time)
        try:
            if form.set == "numbers":
                return numbers(written, form.numbers)
            if form.set in ("ordered", "run"):
                return between(written, form.set, since, until)
            return choose(written, form.set, form.value)
        except FilterError as error:
            return f"{form.filter} {error.term}".strip()

    return router
