"""Turns the pages of a list, on and back. A page begins behind a cursor; one turned back to ends before one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.journal.language import Speaker
from services.journal.pages.view import View
from shared.db.connect import Connection
from shared.records.filter import Filter
from shared.records.listing import Page, list_records
from shared.records.sorts import Sort, cursor_of, sort_of
from shared.records.states import WORST_FIRST


@dataclass(frozen=True, slots=True)
class Turned:
    """page: its rows; following, previous: the cursors of the pages beside it, None where there is none."""

    page: Page
    following: str | None
    previous: str | None


def turned(conn: Connection, flow: str, wanted: Filter, view: View, reader: Speaker, reveal: bool) -> Turned:
    """The page that a view is about. Raises ListingError."""
    sort = sort_of(view.sort, wanted)
    asked = sort if view.before is None else sort.going(not sort.descending)
    cursor = view.cursor if view.before is None else view.before
    page = list_records(
        conn,
        flow,
        wanted,
        sort=asked.name,
        cursor=cursor,
        limit=view.size,
        reveal=reveal,
        language=reader.language,
    )
    if view.before is None:
        first = page.items[0] if page.items and view.at > 1 and view.cursor else None
        return Turned(page, page.next, None if first is None else _before(sort, first))
    page.items.reverse()
    last, first = (page.items[-1], page.items[0]) if page.items else (None, None)
    back = None if first is None or not page.next else _before(sort, first)
    return Turned(page, None if last is None else _cursor(sort, last), back)


def _before(sort: Sort, item: Mapping[str, Any]) -> str:
    return _cursor(sort.going(not sort.descending), item)


def _cursor(sort: Sort, item: Mapping[str, Any]) -> str:
    """The cursor of a page that begins behind this record."""
    updated = item["updated_at"].isoformat()
    ordered = item.get("ordered_at")
    values = {
        "number": [item["key"]],
        "ordered": [ordered.isoformat() if ordered else "-infinity"],
        "updated": [updated],
        "state": [str(WORST_FIRST.index(item["state"]) + 1), updated],
    }[sort.name.removeprefix("-")]
    return cursor_of(sort, values, item["id"])
