"""What may stand where somebody writes in a filter: words, values with how many records they would leave, days.

Called by the API for the box of a list. Nothing here is needed to filter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from shared.db.connect import Connection
from shared.records.counts import Count
from shared.records.facets import Facets, facets
from shared.records.filter import CHOICES, DATES, WORDS, FilterError, parse

MOST = 12
DAYS = (0, 1, 7, 30)
"""Days back that are offered behind a date."""

_TERM = re.compile(r'[^\s"]*$')
_NAMED = re.compile(r"([^\W\d]+)(?::|>=|<=|[<>=])(.*)$")
_OF_FLOW = {
    "order-import": ("type", "tracking", "drift"),
    "order-export": ("type", "drift", "due"),
    "stock": ("tracking", "due"),
}
"""Words that mean nothing in a flow."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """text: the whole filter with it; label: what is written at the caret; caret: where one goes on; count: or None."""

    text: str
    label: str
    caret: int
    count: Count | None = None


def suggestions(
    conn: Connection, flow: str, text: str, caret: int, zone: ZoneInfo, interfaces: list[str]
) -> list[Suggestion]:
    """At most MOST for the term before the caret (a number of characters), the likeliest first."""
    caret = max(0, min(caret, len(text)))
    term = _TERM.search(text[:caret])
    begin = term.start() if term else caret
    if text[:begin].count('"') % 2:
        return []  # inside of quotes
    *earlier, part = text[begin:caret].removeprefix("-").split("|")
    own = _NAMED.match(part)
    # In `state:failed|waiting` the word stands once.
    named = own or next((found for one in reversed(earlier) if (found := _NAMED.match(one))), None)
    counts = _counts(conn, flow, f"{text[:begin]} {text[caret:]}", zone, interfaces)
    if named is None:
        offered = _words(part.lower(), flow, counts)
    else:
        begun = own[2] if own else part
        offered = _values(named[1].lower(), begun.lower(), part[: len(part) - len(begun)], counts, zone)
    return [_put(text, caret - len(part), caret, one, many) for one, many in offered[:MOST]]


def _counts(conn: Connection, flow: str, rest: str, zone: ZoneInfo, interfaces: list[str]) -> Facets:
    """Of what stands around; nothing where that is not understood."""
    try:
        return facets(conn, flow, parse(rest, zone, interfaces))
    except FilterError:
        return {}


def _words(part: str, flow: str, counts: Facets) -> list[tuple[str, Count | None]]:
    """Values that begin so, with their word; then words."""
    values: list[tuple[str, Count | None]] = []
    for name, of in counts.items():
        values += [(f"{name}:{value}", many) for value, many in of.items() if part and part in value and many]
    words = [word for word in WORDS if word not in _OF_FLOW[flow] and word.startswith(part)]
    named: list[tuple[str, Count | None]] = [(f"{word}{'>=' if word in DATES else ':'}", None) for word in words]
    return named + sorted(values, key=lambda one: not one[0].partition(":")[2].startswith(part))


def _values(word: str, begun: str, head: str, counts: Facets, zone: ZoneInfo) -> list[tuple[str, Count | None]]:
    if word in DATES:
        today = datetime.now(zone).date()
        days = [str(today - timedelta(days=back)) for back in DAYS]
        return [(f"{head}{day}", None) for day in days if day.startswith(begun)]
    values: dict[str, Count | None] = dict.fromkeys(CHOICES.get(word, ())) | dict(counts.get(word, {}))
    fitting = [(value, many) for value, many in values.items() if begun in value]
    fitting.sort(key=lambda one: (not one[0].startswith(begun), -(one[1] or 0)))
    return [(f"{head}{value}", many) for value, many in fitting]


def _put(text: str, begin: int, caret: int, said: str, many: Count | None) -> Suggestion:
    whole = said[-1] not in ":="
    behind = text[caret:].lstrip() if whole else text[caret:]
    put = f"{text[:begin]}{said}{' ' if whole else ''}"
    return Suggestion(put + behind, said, len(put), many)
