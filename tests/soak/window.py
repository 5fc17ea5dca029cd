"""Which quantities came to the marketplace after a newer one, and which of them a frozen process may have had in hand.

A sender that stands still between its last look at its leases and the sending sends when it wakes. Nobody else may send
for what it holds until lease and deadline are over, so a shorter freeze excuses nothing; a longer one excuses the calls
that may be under way at once, and only where they come right after the waking.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.runtime.lane import BATCHES_AT_ONCE
from tests.faults.scene import CALL

AT_ONCE_SECONDS = 5.0
"""From the waking until its call has come, on a busy machine; connecting and waiting are behind it by then."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """A sender stood still. began, woke: seconds since 1970."""

    began: float
    woke: float


@dataclass(frozen=True, slots=True)
class Late:
    """A quantity that came after a higher one of its article. call: which call brought it; at: seconds since 1970."""

    sku: str
    quantity: int
    newer: int
    call: int
    at: float


def older_after_newer(sent: Iterable[Mapping[str, Any]]) -> list[Late]:
    """sent: `{"sku", "quantity", "call", "at"}` in the order of arrival, of articles whose quantities only grow."""
    highest: dict[str, int] = defaultdict(int)
    found = []
    for each in sent:
        sku, quantity = str(each["sku"]), int(each["quantity"])
        if quantity < highest[sku]:
            found.append(Late(sku, quantity, highest[sku], int(each["call"]), float(each["at"])))
        highest[sku] = max(highest[sku], quantity)
    return found


def excused(late: Sequence[Late], freezes: Sequence[Freeze]) -> list[Late]:
    """What frozen processes may have had under way: of each freeze the first calls after its waking."""
    calls: set[int] = set()
    for freeze in freezes:
        if freeze.woke - freeze.began > CALL:
            came = sorted({one.call for one in late if 0 <= one.at - freeze.woke <= AT_ONCE_SECONDS} - calls)
            calls.update(came[:BATCHES_AT_ONCE])
    return [one for one in late if one.call in calls]
