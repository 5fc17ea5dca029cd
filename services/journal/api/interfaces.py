"""Interfaces: how they are doing, how they are set up, what they lack, and whether their connections work."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request

from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.connectors.connection import examine
from shared.db.connect import Connection
from shared.errors.entry import Language
from shared.people.audit import audit
from shared.records.interfaces import Interface, modes, read
from shared.records.listings import listed_articles, read_listing
from shared.records.masked import read_masked
from shared.records.overview import interfaces
from shared.runtime.gaps import gaps
from shared.seal import SealError


def routes(journal: Journal) -> APIRouter:
    """The calls of this resource."""
    router = guarded_router(journal, "/api/v1")

    @router.get("/interfaces")
    @needs("viewer")
    def get_interfaces() -> dict[str, Any]:
        """Every interface with its mode and how its two sides are doing."""
        with journal.database() as conn:
            return {"items": interfaces(conn)}

    @router.get("/interfaces/{slug}")
    @needs("viewer")
    def get_interface(request: Request, slug: str) -> dict[str, Any]:
        """One interface. Operators and admins also see `settings` of both sides (secrets masked), limits, mappings,
        listing and pool of return numbers, and `missing`: what its systems need, and what records wait for."""
        with journal.database() as conn:
            found = next((one for one in interfaces(conn) if one["slug"] == slug), None)
            masked = read_masked(conn, slug)
            if found is None or masked is None:
                raise _unknown()
            if not actor_of(request).at_least("operator"):
                return found
            whole = masked.as_json()
            missing = [gap.as_json() for gap in gaps(conn, masked, journal.connectors)]
        sides = {name: {**side, **found["sides"].get(name, {})} for name, side in whole["sides"].items()}
        return {**found, **whole, "sides": sides, "missing": missing}

    @router.post("/interfaces/{slug}/test")
    @needs("operator")
    def test_interface(request: Request, slug: str) -> dict[str, Any]:
        """Test the connections of both sides; changes nothing there. Answers for each side and each thing it can do
        whether it goes through, else what is wrong and how to fix it, in the language of who asks."""
        return tested(journal, slug, actor_of(request).name, speaker(request).language)

    @router.get("/interfaces/{slug}/listing")
    @needs("viewer")
    def get_listing(
        slug: str,
        search: Annotated[str, Query(max_length=200)] = "",
        cursor: Annotated[str | None, Query(max_length=500)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    ) -> dict[str, Any]:
        """What this interface lists: the filter, when the ERP was read last, and the articles by SKU. search: a part of
        SKU, foreign number or name; `next` is the cursor of the page behind."""
        with journal.database() as conn:
            if slug not in modes(conn):
                raise _unknown()
            articles = listed_articles(conn, slug, search, after=cursor, limit=limit + 1)
            stands = read_listing(conn, slug)
        items = articles[:limit]
        return {"interface": slug, **stands, "items": items, "next": items[-1]["sku"] if articles[limit:] else None}

    return router


def tested(journal: Journal, slug: str, actor: str, language: Language) -> dict[str, Any]:
    """What `POST …/test` answers, for the page too. Raises ApiProblem."""
    with journal.database() as conn:
        found = _opened(journal, conn, slug)
        audit(conn, actor, "interfaces.test-connection", {"interface": slug})
    # The database's connection is given back: a remote system may take its time.
    sides = {}
    for name, key in (("marketplace", found.marketplace), ("erp", found.erp)):
        connector, side = journal.connectors.get(key), found.sides.get(name)
        if connector is not None and side is not None:
            values = {**side.settings, **side.secrets}
            sides[name] = examine(connector, name, values, journal.networks, language)
    return {"slug": slug, "ok": len(sides) == 2 and all(one["ok"] for one in sides.values()), "sides": sides}


def _opened(journal: Journal, conn: Connection, slug: str) -> Interface:
    if journal.seal is None:
        raise ApiProblem(
            503, "no-secret-key", "The Journal runs without CONNECT_SECRET_KEY and cannot open credentials."
        )
    try:
        found = read(conn, journal.seal, slug)
    except SealError as error:
        raise ApiProblem(409, "credentials-unreadable", str(error)) from None
    if found is None:
        raise _unknown()
    return found


def _unknown() -> ApiProblem:
    return ApiProblem(404, "interface-unknown", "There is no such interface.")
