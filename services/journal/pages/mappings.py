"""Mappings to edit: the missing ones first, each with what waits for it; saving one sets that due."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.room import room
from services.journal.pages.scope import see
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.connectors.german import of_need
from shared.db.connect import Connection
from shared.errors.catalogue import catalogue
from shared.errors.entry import Language
from shared.records.harm import Harm, harm, of_gap
from shared.records.mappings import (
    LONGEST,
    MappingError,
    map_word,
    read_mappings,
    remembered,
    targets,
    unfinished_with,
    unmap_word,
)
from shared.records.masked import read_masked
from shared.runtime.gaps import POOL, SETTINGS, Gap, gaps, mapping_kinds

SPOKEN = ("payment", "shipping", "tax", "carrier", "setting")
"""Kinds that have a name in the reader's language, in the order in which they are shown."""

DEFAULTS = ("customer", "project", "channel", "shipping-article", "discount-article")
"""Settings of an ERP that have an explanation in the reader's language; others have their connector's own words."""


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/interfaces/{slug}/mappings`, and what its buttons do."""
    router = guarded_router(journal)

    @router.get("/interfaces/{slug}/mappings")
    @needs("operator")
    def get_mappings(
        request: Request,
        slug: str,
        kind: str = "",
        source: str = "",
        saved: str = "",
        removed: str = "",
        due: int | None = None,
    ) -> Response:
        """All of them. kind, source: the one that an error card is about; saved, removed, due: what was just done."""
        return show(request, slug, 200, aimed=(kind, source), saved=saved, removed=removed, due=due)

    def show(request: Request, slug: str, status: int, **given: Any) -> Response:
        reader = speaker(request)
        kinds = mapping_kinds(journal.connectors.values())
        with journal.database() as conn:
            values = room(conn, slug, "mappings")
            if values is None:
                return pages.error(request, reader, 404)
            values |= {
                "aimed": ("", ""),
                "saved": "",
                "removed": "",
                "due": None,
                "problem": None,
                "typed": {},
                "most": LONGEST,
                **_shown(conn, journal, slug, (given.get("aimed") or ("", "")), reader.language),
                **given,
            }
        values["kinds"] = [kind for kind in SPOKEN if kind in kinds] + [kind for kind in kinds if kind not in SPOKEN]
        values |= {"spoken": SPOKEN, "defaults": DEFAULTS}
        return pages.show(request, reader, "mappings.html", values, status)

    @router.post("/interfaces/{slug}/mappings")
    @needs("operator")
    def post_mapping(
        request: Request,
        slug: str,
        kind: Annotated[str, Form()] = "",
        source: Annotated[str, Form()] = "",
        target: Annotated[str, Form()] = "",
        was: Annotated[str | None, Form()] = None,
    ) -> Response:
        """Save one; says how many orders go on."""
        kinds = mapping_kinds(journal.connectors.values())
        with journal.database() as conn:
            if room(conn, slug, "mappings") is None:
                return pages.error(request, speaker(request), 404)
            try:
                change = map_word(conn, slug, kind, source, target, actor_of(request).name, kinds=kinds, was=was)
            except MappingError as error:
                problem = speaker(request).say(f"mappings.wrong_{error.code}", **error.values)
                status, typed = (409 if error.code == "changed-meanwhile" else 422), {(kind, source): target}
            else:
                said = {"saved": change.source, "due": str(change.due)}
                return see(request, f"/interfaces/{slug}/mappings", **said)
        return show(request, slug, status, aimed=(kind, source), problem=problem, typed=typed)

    @router.get("/interfaces/{slug}/mappings/remove")
    @needs("operator")
    def get_remove(request: Request, slug: str, kind: str = "", source: str = "") -> Response:
        """What taking one away means."""
        reader = speaker(request)
        with journal.database() as conn:
            values = room(conn, slug, "mappings")
            found = [one for one in read_mappings(conn, slug) if (one["kind"], one["source"]) == (kind, source)]
            if values is None or not found:
                return pages.error(request, reader, 404)
            concerned, more = unfinished_with(conn, slug, kind, source)
        values |= {"mapping": found[0], "concerned": concerned, "more": more, "spoken": SPOKEN}
        return pages.show(request, reader, "mapping_remove.html", values)

    @router.post("/interfaces/{slug}/mappings/remove")
    @needs("operator")
    def post_remove(
        request: Request, slug: str, kind: Annotated[str, Form()] = "", source: Annotated[str, Form()] = ""
    ) -> Response:
        """Take one away. Who comes second finds it gone, and that is what was wanted."""
        with journal.database() as conn:
            if room(conn, slug, "mappings") is None:
                return pages.error(request, speaker(request), 404)
            gone = unmap_word(conn, slug, kind, source, actor_of(request).name)
        return see(request, f"/interfaces/{slug}/mappings", removed=source if gone else "")

    return router


def _shown(conn: Connection, journal: Journal, slug: str, aimed: tuple[str, str], language: Language) -> dict[str, Any]:
    masked = read_masked(conn, slug)
    assert masked is not None
    missing = gaps(conn, masked, journal.connectors)
    mapped = read_mappings(conn, slug)
    found, needs = harm(conn, slug), _needs(journal, masked, language)
    words = [(gap.kind, gap.source) for gap in missing if gap.source]
    known = {*words, *((one["kind"], one["source"]) for one in mapped)}
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in mapped:
        groups.setdefault(one["kind"], []).append(one)
    order = {kind: place for place, kind in enumerate(SPOKEN)}
    return {
        "missing": [_with_more(gap, found, needs) for gap in missing],
        "groups": sorted(groups.items(), key=lambda group: (order.get(group[0], 99), group[0])),
        "remembered": remembered(conn, slug, [*words, aimed] if all(aimed) else words),
        "in_use": targets(conn, slug),
        "aimed_new": bool(aimed[0]) and aimed not in known,
        "needs": needs,
    }


def _connectors(journal: Journal, masked: Any) -> list[Any]:
    return [found for side in masked.sides.values() if (found := journal.connectors.get(side.connector))]


def _needs(journal: Journal, masked: Any, language: Language) -> dict[tuple[str, str], str]:
    """What each mapping that the two systems need is for, in the reader's language, by kind and source."""
    return {
        (need.kind, need.source): of_need(side, need) if language == "de" else need.about
        for side in _connectors(journal, masked)
        for need in side.mappings
    }


def _with_more(gap: Gap, found: dict[str, Harm], needs: dict[tuple[str, str], str]) -> dict[str, Any]:
    """A gap with what it costs, and whether it can be mended in a form."""
    return gap.as_json() | {
        "about": needs.get((gap.kind, gap.source), ""),
        "filter": f"state:failed|waiting error:{'|'.join(codes)}" if (codes := _codes(gap.kind)) else "",
        "harm": of_gap(found, gap.as_json()),
        "form": gap.kind not in (POOL, SETTINGS),
    }


def _codes(kind: str) -> list[str]:
    """What fails because a mapping of this kind is missing."""
    return sorted(code for code, entry in catalogue().items() if entry.key and entry.key.startswith(f"{kind}:"))
