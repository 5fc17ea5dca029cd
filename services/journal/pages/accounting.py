"""The books for people: an equation per interface and UTC day, the last days, and the rows behind each term."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.frame import frame
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.records.books import OUTCOMES, WHERE_NOW, accounting, days, together
from shared.records.inputs import LISTED, CursorError, list_inputs
from shared.records.resources import OF_FLOW

PAGE = 50
DAYS = 30


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/accounting` and `/accounting/inputs`."""
    router = guarded_router(journal)

    @router.get("/accounting")
    @needs("viewer")
    def get_accounting(request: Request, interface: str = "", day: str = "") -> Response:
        """The books of a day: of one interface, or of all together and each."""
        reader, today = speaker(request), datetime.now(UTC).date()
        chosen = _read(day, today)
        with journal.database() as conn:
            values = frame(conn, "accounting")
            if interface not in ("", "?", *(one["slug"] for one in values["interfaces"])):
                return pages.error(request, reader, 404)
            books = accounting(conn, interface or None, chosen or today)
            values |= {
                "books": books["books"],
                "balanced": books["balanced"],
                "sums": together(books["books"]),
            }
        values |= {
            "interface": interface,
            "of": chosen or today,
            "today": today,
            "before": (chosen or today) - timedelta(days=1),
            "after": (chosen or today) + timedelta(days=1),
            "wrong_day": day if chosen is None else "",
            "outcomes": OUTCOMES,
            "where_now": WHERE_NOW,
        }
        return pages.show(request, reader, "accounting.html", values, 200 if chosen else 400)

    @router.get("/accounting/days")
    @needs("viewer")
    def get_days(request: Request, interface: str = "", day: str = "") -> Response:
        """The last days: whether the books of each balance. Asked for by the page once it is there, it takes longer."""
        reader, today = speaker(request), datetime.now(UTC).date()
        with journal.database() as conn:
            values = frame(conn, "accounting")
            if interface not in ("", "?", *(one["slug"] for one in values["interfaces"])):
                return pages.error(request, reader, 404)
            values |= {"days": days(conn, interface or None, today, DAYS)}
        values |= {"interface": interface, "of": _read(day, today) or today}
        return pages.show(request, reader, "days.html", values)

    @router.get("/accounting/inputs")
    @needs("viewer")
    def get_inputs(
        request: Request, term: str = "", interface: str = "", day: str = "", cursor: str | None = None
    ) -> Response:
        """The rows behind one term."""
        reader, today = speaker(request), datetime.now(UTC).date()
        chosen = _read(day, today)
        with journal.database() as conn:
            values = frame(conn, "accounting")
            known = ("", "?", *(one["slug"] for one in values["interfaces"]))
            if term not in LISTED or interface not in known or chosen is None:
                return pages.error(request, reader, 404)
            try:
                page = list_inputs(
                    conn, interface or None, chosen, term, cursor=cursor, limit=PAGE, language=reader.language
                )
            except CursorError:
                return pages.error(request, reader, 400)
        values |= {"items": page.items, "next": page.next, "term": term, "interface": interface, "of": chosen}
        values |= {"of_flow": {flow: resource.name for flow, resource in OF_FLOW.items()}, "paged": cursor is not None}
        return pages.show(request, reader, "inputs.html", values)

    return router


def _read(text: str, today: date) -> date | None:
    """The day that was asked for, today without one, None for what is no day."""
    if not text.strip():
        return today
    try:
        found = date.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if 1900 <= found.year <= 2900 else None
