"""The books of a day, those of the last days, and the rows behind each of their terms."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from services.journal.guard import guarded_router, needs
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.db.connect import Connection
from shared.records.books import accounting, days
from shared.records.inputs import LISTED, CursorError, list_inputs
from shared.records.interfaces import modes

MOST_DAYS = 92
Interface = Annotated[str | None, Query(max_length=100, description="one interface; ? is input that named none")]


def routes(journal: Journal) -> APIRouter:
    """The calls of this resource."""
    router = guarded_router(journal, "/api/v1/accounting")

    @router.get("")
    @needs("viewer")
    def get_accounting(interface: Interface = None, day: date | None = None) -> dict[str, Any]:
        """The books of a UTC day (today), of one interface or all. Any remainder is named."""
        with journal.database() as conn:
            _known(conn, interface)
            books: dict[str, Any] = accounting(conn, interface, day or _today())
        return books

    @router.get("/days")
    @needs("viewer")
    def get_days(
        interface: Interface = None,
        until: date | None = None,
        days_: Annotated[int, Query(alias="days", ge=1, le=MOST_DAYS)] = 30,
    ) -> dict[str, Any]:
        """The books of the days up to `until` (today), the newest first, of one interface or of all together."""
        with journal.database() as conn:
            _known(conn, interface)
            found = days(conn, interface, until or _today(), days_)
        if found is None:
            raise ApiProblem(503, "too-much-to-count", "There is too much to count at once: ask for fewer days.")
        return {"interface": interface, "items": found}

    @router.get("/inputs")
    @needs("viewer")
    def get_inputs(
        term: str,
        interface: Interface = None,
        day: date | None = None,
        cursor: Annotated[str | None, Query(max_length=200)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
        language: Literal["de", "en"] = "en",
    ) -> dict[str, Any]:
        """The rows behind a term of the books, e.g. `duplicate` or `failed`, the newest first."""
        if term not in LISTED:
            raise ApiProblem(422, "term-unknown", f"There is no term “{term[:40]}”: there are {', '.join(LISTED)}.")
        with journal.database() as conn:
            _known(conn, interface)
            try:
                page = list_inputs(
                    conn, interface, day or _today(), term, cursor=cursor, limit=limit, language=language
                )
            except CursorError as error:
                raise ApiProblem(400, "list-not-understood", str(error)) from None
        return {"items": page.items, "next": page.next}

    return router


def _today() -> date:
    return datetime.now(UTC).date()


def _known(conn: Connection, interface: str | None) -> None:
    if interface not in (None, "?") and interface not in modes(conn):
        raise ApiProblem(404, "interface-unknown", "There is no such interface.")
