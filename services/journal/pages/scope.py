"""What a page of records speaks of: a filter, limited to an interface; the way back; the texts of its resource."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.journal.language import Speaker
from services.journal.wiring import Journal
from shared.db.connect import Connection
from shared.records.filter import Atom, Filter, FilterError, Term, parse
from shared.records.interfaces import modes
from shared.records.resources import Resource


def scope(conn: Connection, journal: Journal, slug: str | None, text: str) -> Filter:
    """The filter, limited to the page's interface. Raises FilterError."""
    known = modes(conn)
    wanted = parse(text, journal.zone, known)
    if slug is None:
        return wanted
    if slug not in known:
        raise FilterError(slug, "There is no such interface.")
    return replace(wanted, terms=(Term((Atom("interface", ":", slug),)), *wanted.terms))


def place(resource: Resource, slug: str | None) -> str:
    """The address of a list."""
    return f"/interfaces/{slug}/{resource.name}" if slug else f"/{resource.name}"


def see(request: Request, path: str, **query: str) -> Response:
    """Go and look there; keeps the chosen language."""
    chosen = {"lang": request.query_params.get("lang") or "", **query}
    said = urlencode({name: value for name, value in chosen.items() if value})
    return RedirectResponse(quote(path) + (f"?{said}" if said else ""), 303)


def spoken(resource: Resource, reader: Speaker) -> dict[str, Any]:
    """The resource for templates; `own("title")` is its own text of that name."""
    return {
        "resource": resource,
        "own": lambda name, **values: reader.say(f"{resource.name}.{name}", **values),
    }
