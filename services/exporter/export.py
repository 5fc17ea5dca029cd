"""The stage *marketplace* of order-export: what the ERP did with an order reaches the marketplace, each parcel once.

read the changes → find their orders → read what the marketplace shows → tell the parcels → tell the status
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from services.exporter.book import Book
from services.exporter.order import Orders
from services.exporter.shown import aligned
from services.exporter.staged import Change, Export, remarked, staged_change
from services.exporter.status import Status
from services.exporter.tracking import Tracking
from shared.connectors.contract import RemoteError, StatusSink
from shared.errors.problem import Problem
from shared.runtime.judge import from_remote_error
from shared.runtime.outcome import Fail, Outcome, Parts
from shared.runtime.stage import Each, Held, Say

ORDER = "order:"


class OrderExport:
    """Handles claims of one interface."""

    def __init__(
        self,
        system: str,
        lag: float,
        *,
        sink: StatusSink,
        orders: Orders,
        book: Book,
        tracking: Tracking,
        status: Status,
        failpoint: Callable[[str], None],
        close: Callable[[], None],
    ) -> None:
        self.system = system
        self.lag = lag
        self._sink = sink
        self._orders = orders
        self._book = book
        self._tracking = tracking
        self._status = status
        self._failpoint = failpoint
        self._close = close

    def handle(self, batch: Sequence[Held], say: Say, each: Each) -> None:
        """Report an outcome for every claim. What can be asked for many orders at once is asked once."""
        changes = [staged_change(held) for held in batch]
        known = self._with_orders(changes, say)
        shown = self._with_units(known, say)
        self._failpoint("export.looked-up")
        ready = {one.held.claim.id: one for one in shown}
        each([one.held for one in shown], lambda held: self._export(ready[held.claim.id]))

    def probe(self, keys: Sequence[str]) -> set[str]:
        """Which `order:…` are imported by now."""
        numbers = [key.removeprefix(ORDER) for key in keys if key.startswith(ORDER)]
        return {ORDER + number for number in self._book.ended(numbers)} if numbers else set()

    def ping(self) -> None:
        """Raise RemoteError unless the marketplace answers."""
        self._sink.ping()

    def close(self) -> None:
        """Close its connections."""
        self._close()

    def _with_orders(self, changes: Sequence[Change], say: Say) -> list[Export]:
        imported = self._book.orders(sorted({change.data.order_number for change in changes}))
        found, waiting = self._orders.find(changes, imported)
        for change, outcome in waiting:
            say(change.held, change.both(outcome))
        return found

    def _with_units(self, known: Sequence[Export], say: Say) -> list[Export]:
        """Add the ledger, and what the marketplace shows, where that matters."""
        if not known:
            return []
        ledger, parts = self._book.told([one.held.claim.id for one in known])
        told = [
            replace(one, told=ledger.get(one.held.claim.id, {}), parts=parts.get(one.held.claim.id, {}))
            for one in known
        ]
        looked = [one for one in told if needs_look(one)]
        try:
            units = self._sink.read_units(sorted({one.order.marketplace_id for one in looked})) if looked else {}
        except RemoteError as error:
            for one in looked:
                say(one.held, one.change.both(from_remote_error(error, self.system, called=False)))
            return [one for one in told if not needs_look(one)]
        ready = []
        for one in told:
            if not needs_look(one):
                ready.append(one)
            elif one.order.marketplace_id in units:
                ready.append(replace(one, units=aligned(units[one.order.marketplace_id], one.told.values())))
            else:
                values = {"number": one.order.number, "system": self.system}
                say(one.held, one.change.both(Fail((Problem("order-not-there", "order_number", values),))))
        return ready

    def _export(self, one: Export) -> Outcome:
        """Parcels first: they carry most of what a status says."""
        tracking = self._tracking.outcome(one)
        status = self._status.outcome(one, tracking)
        # The attempt notes which status it told, for the sentence in the history.
        status = replace(status, detail={**(status.detail or {}), "status": one.data.status})
        said = Parts(status=remarked(status, one.remark), tracking=remarked(tracking, one.remark))
        return replace(said, called=status.called or bool(tracking and tracking.called))


def needs_look(one: Export) -> bool:
    """Whether anything depends on what the marketplace shows: a status that nobody tells does not."""
    return bool(one.data.shipments) or one.data.status != "released"
