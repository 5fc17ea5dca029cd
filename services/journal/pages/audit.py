"""The audit for people: who did what, when, with which filter, and why; every line leads to what it is about."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import guarded_router, needs
from services.journal.language import Speaker, speaker
from services.journal.pages.frame import frame
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.people.audit import Wanted, read_audit
from shared.people.audit_words import SENTENCES, details, sentence
from shared.records import dates
from shared.records.resources import RESOURCES

PAGE = 50
LONG = ("receipt", "errand", "run")
"""Details that are a UUID: its beginning is enough to read."""

LISTS = tuple(resource.name for resource in RESOURCES)


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/audit`."""
    router = guarded_router(journal)

    @router.get("/audit")
    @needs("operator")
    def get_audit(
        request: Request,
        actor: str = "",
        verb: str = "",
        about: str = "",
        since: str = "",
        until: str = "",
        cursor: int | None = Query(None, ge=1, lt=2**63),
    ) -> Response:
        """The newest first."""
        reader = speaker(request)
        begin, end = _moment(journal, since, last=False), _moment(journal, until, last=True)
        wrong = next((text for text, read in ((since, begin), (until, end)) if text.strip() and read is None), "")
        wanted = Wanted(actor[:200], (verb,) if verb else (), about[:200], begin, end)
        with journal.database() as conn:
            found = [] if wrong else read_audit(conn, wanted, before=cursor, limit=PAGE + 1)
            values = frame(conn, "audit")
        values |= {
            "items": [_line(one, reader) for one in found[:PAGE]],
            "next": found[PAGE - 1]["id"] if len(found) > PAGE else None,
            "asked": {"actor": actor, "verb": verb, "about": about, "since": since, "until": until},
            "verbs": sorted(
                ((sentence(one, reader.language), one) for one in SENTENCES), key=lambda pair: pair[0].lower()
            ),
            "wrong": wrong[:40],
            "paged": cursor is not None,
        }
        return pages.show(request, reader, "audit.html", values, 400 if wrong else 200)

    return router


def _line(one: dict[str, Any], reader: Speaker) -> dict[str, Any]:
    """A line with its sentence and its details, each with the address of what it names."""
    told = [
        {
            "label": label,
            "value": value[:8] if name in LONG else value,
            "href": _address(one["verb"], one["target"], name, value),
        }
        for name, label, value in details(one["target"], reader.language)
    ]
    return one | {"says": sentence(one["verb"], reader.language), "details": told}


def _address(verb: str, target: dict[str, Any], name: str, value: str) -> str | None:
    """Where a detail leads, None where it has no page of its own."""
    what = verb.partition(".")[0]
    if name == "interface":
        return f"/interfaces/{quote(value)}"
    if name == "rejection":
        return f"/rejections/{quote(value)}"
    if name == "record" and what in LISTS:
        return f"/{what}/{quote(value)}"
    if name == "filter" and what in LISTS:
        return f"/{what}?filter={quote(value)}"
    if name in ("group", "alarm"):
        return f"/{name}s/{quote(value, safe='')}"
    if name in LONG:
        return f"/{name}s/{quote(value)}"
    if name == "source" and what == "interfaces" and target.get("interface"):
        said = urlencode({"kind": target.get("kind"), "source": value})
        return f"/interfaces/{quote(str(target['interface']))}/mappings?{said}"
    return None


def _moment(journal: Journal, text: str, *, last: bool) -> datetime | None:
    """A date in the installation's zone; None without one, and for what is none."""
    try:
        found = dates.read(text.strip(), journal.zone)
    except (ValueError, OverflowError):
        return None
    return found.last_end if last else found.start
