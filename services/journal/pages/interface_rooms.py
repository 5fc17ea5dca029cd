"""Two pages of one interface that only show: its settings, secrets masked, and the articles it lists."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.room import room
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.connectors.facts import facts
from shared.connectors.german import of_setting
from shared.records.listings import listed_articles, read_listing
from shared.records.masked import MASK, read_masked

PAGE = 50


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/interfaces/{slug}/settings` and `/interfaces/{slug}/listing`."""
    router = guarded_router(journal)

    @router.get("/interfaces/{slug}/settings")
    @needs("operator")
    def get_settings(request: Request, slug: str) -> Response:
        """How both sides are set up; of secrets only that they are there."""
        reader = speaker(request)
        with journal.database() as conn:
            values = room(conn, slug, "settings")
            masked = read_masked(conn, slug)
        if values is None or masked is None:
            return pages.error(request, reader, 404)
        about = {
            name: {
                fact.name: of_setting(connector, fact.name) if reader.language == "de" else fact.about
                for fact in facts(connector.settings)
            }
            for name, side in masked.sides.items()
            if (connector := journal.connectors.get(side.connector))
        }
        values |= {"masked": masked, "about": about, "mask": MASK}
        return pages.show(request, reader, "settings.html", values)

    @router.get("/interfaces/{slug}/listing")
    @needs("viewer")
    def get_listing(request: Request, slug: str, search: str = "", cursor: str | None = None) -> Response:
        """The articles it lists, by SKU."""
        reader, search = speaker(request), search[:200].replace("\0", "")
        after = None if cursor is None else cursor[:500].replace("\0", "")
        with journal.database() as conn:
            values = room(conn, slug, "listing")
            if values is None:
                return pages.error(request, reader, 404)
            found = listed_articles(conn, slug, search, after=after, limit=PAGE + 1)
            values |= {"listing": read_listing(conn, slug)}
        values |= {
            "items": found[:PAGE],
            "next": found[PAGE - 1]["sku"] if len(found) > PAGE else None,
            "search": search,
            "paged": cursor is not None,
        }
        return pages.show(request, reader, "listing.html", values)

    return router
