"""The books: of everything that came in on a day, where it is now. Both sides come from different tables.

Per interface and UTC day of receipt: inputs = rejected + duplicate + superseded + no-target + applied, and
applied = done + failed + waiting + in flight + skipped. What does not add up is named, never hidden.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from shared.db.connect import Connection

OUTCOMES = ("rejected", "duplicate", "superseded", "no_target", "applied")
WHERE_NOW = ("done", "failed", "waiting", "in_flight", "skipped")
TERMS = ("inputs", *OUTCOMES, *WHERE_NOW)

# One statement is one snapshot: counted one after the other, the two sides would differ while events come in.
_COUNTS = """
SELECT interface, 'inputs' AS term, false AS test, sum(inputs) FROM arrivals
WHERE received_at >= %(from)s AND received_at < %(to)s GROUP BY interface
UNION ALL
SELECT interface, 'rejected', false, count(*) FROM rejections
WHERE received_at >= %(from)s AND received_at < %(to)s GROUP BY interface
UNION ALL
SELECT interface, replace(outcome, '-', '_'), false, count(*) FROM events
WHERE received_at >= %(from)s AND received_at < %(to)s GROUP BY interface, outcome
UNION ALL
SELECT interface, 'duplicate', false, count(*) FROM duplicates
WHERE received_at >= %(from)s AND received_at < %(to)s GROUP BY interface
UNION ALL
SELECT interface,
       CASE WHEN state IN ('done', 'warning') THEN 'done'
            WHEN state IN ('pending', 'running') THEN 'in_flight' ELSE state END,
       test, count(*) FROM records
WHERE input_hash IS NOT NULL AND input_at >= %(from)s AND input_at < %(to)s GROUP BY interface, 2, test
"""


def accounting(conn: Connection, interface: str | None, day: date) -> dict[str, Any]:
    """The books of one UTC day, of one interface or (None) of all.

    Shape: {"day", "interface", "balanced", "books": [one per interface]}; a book has every term of the two equations,
    `test` (records of a test, counted apart, part of applied), `remainders` and `balanced`. Unreadable input is in the
    book of `?`.
    """
    begin = datetime.combine(day, time(), UTC)
    counts: dict[str, dict[tuple[str, bool], int]] = {}
    for name, term, test, count in conn.execute(_COUNTS, {"from": begin, "to": begin + timedelta(days=1)}):
        if interface is None or name == interface:
            terms = counts.setdefault(name, {})
            terms[term, test] = terms.get((term, test), 0) + int(count)
    if interface is not None:
        counts.setdefault(interface, {})
    books = [_book(name, terms) for name, terms in sorted(counts.items())]
    return {
        "day": day.isoformat(),
        "interface": interface,
        "balanced": all(book["balanced"] for book in books),
        "books": books,
    }


def _book(interface: str, counts: dict[tuple[str, bool], int]) -> dict[str, Any]:
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
