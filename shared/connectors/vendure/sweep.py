"""Finds the orders that changed, although Vendure has no list of them.

`updatedAt` does not follow changes of the state, so a watermark over it loses orders. What changed is found so:

    placed since          orderPlacedAt
    changed since         updatedAt, where it follows
    state changed since   the history of every order that is under way, however old, and of those that left or were
                          cancelled, if they were placed within the days to look back

All of it is swept before anything is told, because the changes have to be told oldest first: whoever listens moves a
watermark behind each page. After a long sweep nothing is told that changed while it went on: what was swept earlier may
have changed before it, unseen, and the watermark would pass over that. The next sweep tells both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.connectors.contract import Reason, RemoteError
from shared.connectors.vendure.calls import stamp
from shared.connectors.vendure.mapping import changed_at

ENDED = ("Shipped", "Delivered", "Cancelled")
PAGE = 100
MILLISECOND = timedelta(milliseconds=1)
"""Vendure's `after` means later than, and its times have milliseconds."""

LONG_SECONDS = 200.0
"""A shorter sweep need not care: whoever asks again looks five minutes further back than what was told."""

Raw = Mapping[str, Any]
Page = Callable[[Mapping[str, Any]], Sequence[Raw]]
"""Reads a page of orders by list options."""


def changed_since(
    page: Page, since: datetime, look_back: timedelta, clock: Callable[[], float] = time.monotonic
) -> list[tuple[datetime, str]]:
    """(last change, id) of the orders that changed at or after `since`, oldest change first."""
    began = clock()
    found: dict[str, datetime] = {}
    for raw in _swept(page, since, look_back):
        changed = changed_at(raw)
        if changed is not None and changed >= since:
            found[str(raw.get("id"))] = changed
    told = sorted((changed, order_id) for order_id, changed in found.items())
    took = clock() - began
    if took > LONG_SECONDS and told:
        # The sweep began at this time of the shop's or later; its clock need not be ours. What is left out waits for
        # the next sweep that sees something newer.
        start = told[-1][0] - timedelta(seconds=took)
        told = [each for each in told if each[0] <= start]
    return told


def _swept(page: Page, since: datetime, look_back: timedelta) -> Iterator[Raw]:
    """Every order that may have changed, in the order of placing.

    Pages are not counted: an order that leaves the selection would push another one over the edge of a page. Each page
    starts where the last one ended, without the orders of that very moment that were seen.
    """
    behind = datetime(1970, 1, 1, tzinfo=UTC)
    seen: list[str] = []
    while True:
        wanted = _filter(since, look_back, behind, seen)
        items = page({"take": PAGE, "sort": {"orderPlacedAt": "ASC"}, "filter": wanted})
        yield from items
        if len(items) < PAGE:
            return
        last = _placed(items[-1])
        new = [str(item.get("id")) for item in items if _placed(item) == last]
        if last < behind or set(new) & set(seen):
            raise RemoteError(Reason.BROKEN_ANSWER, "list-orders: the pages repeat themselves")
        seen = [*(seen if last == behind else ()), *new]
        behind = last


def _filter(since: datetime, look_back: timedelta, behind: datetime, seen: Sequence[str]) -> dict[str, Any]:
    after = stamp(since - MILLISECOND)
    parts: list[dict[str, Any]] = [
        {"orderPlacedAt": {"after": stamp(behind - MILLISECOND)}},
        # The parts of an order that several sellers share are orders themselves.
        {"type": {"notEq": "Aggregate"}},
        {
            "_or": [
                {"orderPlacedAt": {"after": after}},
                {"updatedAt": {"after": after}},
                {"state": {"notIn": list(ENDED)}},
                {"orderPlacedAt": {"after": stamp(since - look_back)}},
            ]
        },
    ]
    if seen:
        parts.append({"id": {"notIn": list(seen)}})
    return {"_and": parts}


def _placed(raw: Raw) -> datetime:
    try:
        return datetime.fromisoformat(str(raw.get("orderPlacedAt"))).astimezone(UTC)
    except ValueError:
        raise RemoteError(Reason.BROKEN_ANSWER, "list-orders: an order does not say when it was placed") from None
