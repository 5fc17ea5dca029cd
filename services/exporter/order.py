"""Finds the order that a change is about. An export waits for its import, and not for ever.

Known and imported: it goes on. Older than the go-live: it is left alone, unless a person wants it. Known and not
imported yet: it waits until that is done. Unknown to Connect: it waits as well, for the events may come in any order,
and looks at the marketplace now and then; after five days it gives up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.exporter.staged import Change, Export, with_order
from shared.connectors.contract import OrderSource, RemoteError
from shared.errors.problem import Problem
from shared.records.imported import Imported
from shared.runtime.outcome import Fail, Outcome, Skip, Wait

GIVE_UP_SECONDS = 5 * 24 * 3600.0
SOON_SECONDS = 60.0  # the import may be on its way
LATER_SECONDS = 3600.0


def key_of(number: str) -> str:
    """What comes true when the order is imported."""
    return f"order:{number}"


class Orders:
    """Parts the changes of one interface into those whose order is there and those that wait."""

    def __init__(self, source: OrderSource) -> None:
        """source: the marketplace, asked for orders that Connect does not know."""
        self._source = source

    def find(
        self, changes: Sequence[Change], imported: Mapping[str, Imported]
    ) -> tuple[list[Export], list[tuple[Change, Outcome]]]:
        """Those that may go on, and the others with what becomes of them."""
        found: list[Export] = []
        waiting: list[tuple[Change, Outcome]] = []
        unknown: list[Change] = []
        for change in changes:
            order = imported.get(change.data.order_number)
            if order is None:
                unknown.append(change)
            elif order.older and not change.held.claim.forced:
                waiting.append((change, Skip(Problem("older-than-go-live"))))
            elif order.ended:
                found.append(with_order(change, order))
            else:
                waiting.append((change, _wait(change, LATER_SECONDS)))
        old = [change for change in unknown if change.held.claim.staged_seconds > SOON_SECONDS]
        waiting += [(change, _wait(change, SOON_SECONDS)) for change in unknown if change not in old]
        waiting += self._unknown(old)
        return found, waiting

    def _unknown(self, changes: Sequence[Change]) -> list[tuple[Change, Outcome]]:
        """What nobody imported in a while: does the marketplace know it?"""
        if not changes:
            return []
        try:
            there = set(self._source.read_orders([change.data.order_number for change in changes]))
        except RemoteError:
            return [(change, _wait(change, SOON_SECONDS)) for change in changes]
        return [(change, _given_up(change, there) or _wait(change, LATER_SECONDS)) for change in changes]


def _given_up(change: Change, there: set[str]) -> Outcome | None:
    """After five days: an order of the marketplace needs a person, anything else was not for us."""
    if change.held.claim.staged_seconds < GIVE_UP_SECONDS:
        return None
    number = change.data.order_number
    problem = Problem("order-unknown", "order_number", {"number": number}, key_of(number))
    return Fail((problem,)) if number in there else Skip(problem)


def _wait(change: Change, after: float) -> Wait:
    number = change.data.order_number
    left = max(1.0, GIVE_UP_SECONDS - change.held.claim.staged_seconds)
    return Wait(Problem("order-awaited", "order_number", {"number": number}), (key_of(number),), min(after, left))
