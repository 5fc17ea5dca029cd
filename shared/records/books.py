"""The books: of everything that came in on a day, where it is now. Both sides come from different tables.

Per interface and UTC day of receipt: inputs = rejected + duplicate + superseded + no-target + applied, and
applied = done + failed + waiting + in flight + skipped. What does not add up is named, never hidden.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from psycopg.errors import QueryCanceled

from shared.db.connect import Connection

OUTCOMES = ("rejected", "duplicate", "superseded", "no_target", "applied")
WHERE_NOW = ("done", "failed", "waiting", "in_flight", "skipped")
TERMS = ("inputs", *OUTCOMES, *WHERE_NOW)

# One statement is one snapshot: counted one after the other, the two sides would differ while events come in.
_COUNTS = """
SELECT {inputs_day}, interface, 'inputs' AS term, false AS test, sum(inputs) FROM arrivals
WHERE received_at >= %(from)s AND received_at < %(to)s GROUP BY 1, interface
UNION ALL
SELECT {inputs_day}, interface, 'rejected', false, count(*) FROM rejections
WHERE received_at >= %(from)s AND received_at < %(to)s GROUP BY 1, interface
UNION ALL
SELECT {inputs_day}, interface, replace(outcome, '-', '_'), false, count(*) FROM events
WHERE received_at >= %(from)s AND received_at < %(to)s GROUP BY 1, interface, outcome
UNION ALL
SELECT {inputs_day}, interface, 'duplicate', false, count(*) FROM duplicates
WHERE received_at >= %(from)s AND received_at < %(to)s GROUP BY 1, interface
UNION ALL
SELECT {records_day}, interface,
       CASE WHEN state IN ('done', 'warning') THEN 'done'
            WHEN state IN ('pending', 'running') THEN 'in_flight' ELSE state END,
       test, count(*) FROM records
WHERE input_hash IS NOT NULL AND input_at >= %(from)s AND input_at < %(to)s GROUP BY 1, interface, 3, test
"""
_OF_ONE_DAY = _COUNTS.format(inputs_day="0", records_day="0")
_BY_DAY = _COUNTS.format(
    inputs_day="(received_at AT TIME ZONE 'UTC')::date - %(first)s::date",
    records_day="(input_at AT TIME ZONE 'UTC')::date - %(first)s::date",
)
Counts = dict[tuple[str, bool], int]

OVERVIEW_SECONDS = 3
"""So long may the overview of many days take; where it takes longer, each day is still counted by itself."""


def accounting(conn: Connection, interface: str | None, day: date) -> dict[str, Any]:
    """The books of one UTC day, of one interface or (None) of all.

    Shape: {"day", "interface", "balanced", "books": [one per interface]}; a book has every term of the two equations,
    `test` (records of a test, counted apart, part of applied), `remainders` and `balanced`. Unreadable input is in the
    book of `?`.
    """
    counts = _counted(conn, _OF_ONE_DAY, interface, day, 1).get(0, {})
    if interface is not None:
        counts.setdefault(interface, {})
    books = [_book(name, terms) for name, terms in sorted(counts.items())]
    return {
        "day": day.isoformat(),
        "interface": interface,
        "balanced": all(book["balanced"] for book in books),
        "books": books,
    }


def days(conn: Connection, interface: str | None, last: date, many: int = 30) -> list[dict[str, Any]] | None:
    """The books of the days up to `last`, the newest first: each with its terms (of all interfaces together, tests
    among them) and `balanced`, which says that the books of every interface balance.

    None where there is too much to count within OVERVIEW_SECONDS.
    """
    first = last - timedelta(days=many - 1)
    try:
        with conn.transaction():
            conn.execute(f"SET LOCAL statement_timeout = '{OVERVIEW_SECONDS}s'")
            counted = _counted(conn, _BY_DAY, interface, first, many)
    except QueryCanceled:
        return None
    found = []
    for place in reversed(range(many)):
        books = [_book(name, terms) for name, terms in counted.get(place, {}).items()]
        found.append(
            {
                "day": (first + timedelta(days=place)).isoformat(),
                "balanced": all(book["balanced"] for book in books),
                **together(books),
            }
        )
    return found


def together(books: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The terms of several books as one; `test` is the number of test records."""
    sums = {term: sum(book[term] for book in books) for term in TERMS}
    return {**sums, "test": sum(book["test"]["applied"] for book in books)}


def _counted(
    conn: Connection, statement: str, interface: str | None, first: date, many: int
) -> dict[int, dict[str, Counts]]:
    """Day (0 is `first`) → interface → (term, test) → how many."""
    begin = datetime.combine(first, time(), UTC)
    counts: dict[int, dict[str, Counts]] = {}
    values = {"from": begin, "to": begin + timedelta(days=many), "first": first}
    for place, name, term, test, count in conn.execute(statement, values):
        if interface is None or name == interface:
            terms = counts.setdefault(place, {}).setdefault(name, {})
            terms[term, test] = terms.get((term, test), 0) + int(count)
    return counts


def _book(interface: str, counts: Counts) -> dict[str, Any]:
    live = {term: counts.get((term, False), 0) for term in TERMS}
    test = {term: counts.get((term, True), 0) for term in WHERE_NOW}
    never = sum(count for (term, _), count in counts.items() if term == "never")
    in_records = sum(live[term] for term in WHERE_NOW) + sum(test.values()) + never
    remainders = [
        *_remainder("inputs", "came in", live["inputs"], "have an outcome", sum(live[term] for term in OUTCOMES)),
        *_remainder("applied", "events were applied", live["applied"], "records hold one", in_records),
    ]
    return {
        "interface": interface,
        **live,
        "test": {**test, "applied": sum(test.values())},
        "remainders": remainders,
        "balanced": not remainders,
    }


def _remainder(name: str, said_left: str, left: int, said_right: str, right: int) -> list[dict[str, Any]]:
    if left == right:
        return []
    more, less = (said_left, said_right) if left > right else (said_right, said_left)
    sentence = f"{abs(left - right)} more {more} ({max(left, right)}) than {less} ({min(left, right)})."
    return [
        {"name": name, "left": left, "right": right, "difference": left - right, "more": more, "sentence": sentence}
    ]
