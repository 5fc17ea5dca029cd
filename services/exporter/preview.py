"""The dry run of an export: the shipments and cancellations that the marketplace would be told, or why it is not.

The handler of the stage *marketplace* itself, with a marketplace and a ledger that are read and never written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from psycopg_pool import ConnectionPool

from services.exporter.asked import OpenSource, ours
from services.exporter.book import Book, Drafting
from services.exporter.export import OrderExport
from services.exporter.order import Orders
from services.exporter.status import Status
from services.exporter.tracking import Sending, Tracking
from shared.connectors.contract import (
    Cancellation,
    Mappings,
    ReturnKey,
    SentShipment,
    ShipmentDraft,
    StatusSink,
    Unit,
)
from shared.connectors.open import open_status_sink
from shared.db.connect import Connection
from shared.errors.problem import Problem
from shared.events.orders import Order, Shipment, ShipmentLine
from shared.failpoint import Failpoints
from shared.records import return_numbers
from shared.records.claim import Claim
from shared.records.drafted import Document, Drafted, known_records
from shared.records.imported import imported_orders
from shared.records.interfaces import Interface
from shared.runtime.clock import DatabaseClock
from shared.runtime.erp_events import order_changed
from shared.runtime.preview import Notes, imagined
from shared.runtime.receipts import Preview
from shared.runtime.remotes import Remotes


class NotingMarketplace:
    """A marketplace that is told nothing."""

    def __init__(self, sink: StatusSink, title: str, notes: Notes) -> None:
        self._sink, self._title, self._notes = sink, title, notes
        self._units: dict[str, list[Unit]] = {}

    def read_units(self, order_ids: Sequence[str]) -> dict[str, list[Unit]]:
        """As the real one: a read."""
        found = self._sink.read_units(order_ids)
        self._units |= found
        return found

    def draft_shipment(
        self,
        order: Order,
        shipment: Shipment,
        units: Sequence[Unit],
        mappings: Mappings,
        *,
        taken: Collection[str] = (),
        spare: ReturnKey | None = None,
    ) -> ShipmentDraft | list[Problem]:
        """As the real one: it makes no call."""
        return self._sink.draft_shipment(order, shipment, units, mappings, taken=taken, spare=spare)

    def send_shipment(self, draft: ShipmentDraft) -> SentShipment:
        """Notes the body."""
        self._notes.note(Document("shipment", self._title, draft.document))
        return SentShipment("", draft.carrier, draft.tracking_number, draft.units)

    def find_shipments(self, carrier: str, tracking_number: str, order_id: str) -> list[SentShipment]:
        """As the real one: a read."""
        return self._sink.find_shipments(carrier, tracking_number, order_id)

    def cancel_units(self, order: Order, lines: Sequence[ShipmentLine] = ()) -> Cancellation:  # noqa: ARG002
        """Notes which units could be cancelled now."""
        units = [unit.id for unit in self._units.get(order.marketplace_id, ()) if unit.state == "open"]
        self._notes.note(Document("cancellation", self._title, {"order": order.marketplace_id, "units": units}))
        return Cancellation(asked=tuple(units))

    def ping(self) -> None:
        """As the real one."""
        self._sink.ping()


class ReadBook(Book):
    """The ledger and the pool of return numbers, read only."""

    def __init__(self, pool: ConnectionPool[Connection], interface: str) -> None:
        super().__init__(pool, interface)
        self._read, self._slug = pool, interface
        self._shown: list[int] = []

    def intend(self, claim: Claim, shipment: Shipment, draft: Drafting) -> ShipmentDraft | list[Problem]:
        """Draft with the return number that would be given; none is."""
        spare = None
        if not (shipment.return_tracking_number or "").strip():
            with self._read.connection() as conn:
                spare = return_numbers.peek(conn, self._slug, claim.id, shipment.id, self._shown)
        drafted = draft(None if spare is None else ReturnKey(spare.carrier, spare.number))
        if spare is not None and isinstance(drafted, ShipmentDraft) and drafted.spare_used:
            self._shown.append(spare.no)
        return drafted

    def withdraw(self, claim: Claim, shipment: Shipment) -> None:
        """Nothing was intended."""

    def accept(self, claim: Claim, shipment: Shipment, sent: SentShipment) -> None:
        """Nothing was sent."""

    def confirm(self, claim: Claim, shipment: Shipment, remote: str | None = None) -> None:
        """Nothing is stored."""

    def adopt(self, claim: Claim, shipment: Shipment, units: Sequence[Unit]) -> None:
        """Nothing is stored."""


def changes_to_tell(open_source: OpenSource, remotes: Remotes, pool: ConnectionPool[Connection]) -> Preview:
    """What an export of these orders would tell. Reads from both systems, stores nothing."""
    clock = DatabaseClock()

    def preview(conn: Connection, interface: Interface, numbers: Sequence[str]) -> Mapping[str, Drafted]:
        slug, at = interface.slug, clock.now(conn)
        erp, close_erp = open_source(interface)
        try:
            changes = erp.read_changes(numbers)
        finally:
            close_erp()
        found = ours(changes, imported_orders(conn, slug, list(changes)))
        there = known_records(conn, slug, "order-export", list(found))
        batch = [
            imagined(slug, number, order_changed(slug, change, at).body, there.get(number, -place))
            for place, (number, change) in enumerate(found.items(), start=1)
        ]
        notes = Notes()
        handler = _handler(interface, remotes, pool, notes)
        try:
            handler.handle(batch, notes.say, notes.each)
        finally:
            handler.close()
        return {number: notes.drafted(number) for number in found}

    return preview


def _handler(interface: Interface, remotes: Remotes, pool: ConnectionPool[Connection], notes: Notes) -> OrderExport:
    calls, nothing = remotes.calls(interface, "marketplace"), Failpoints("")
    real, close_sink = remotes.open(interface, "marketplace", open_status_sink, calls)
    source, close_source = remotes.marketplace(interface)
    title = remotes.title(interface, "marketplace")
    sink, book = NotingMarketplace(real, title, notes), ReadBook(pool, interface.slug)
    sending = Sending(sink, title, Mappings(interface.mappings), calls.guarded, nothing, 0.0, 0.0)

    def close() -> None:
        close_sink()
        close_source()

    return OrderExport(
        title,
        0.0,
        sink=sink,
        orders=Orders(source),
        book=book,
        tracking=Tracking(sending, book),
        status=Status(sink, title, 0.0, nothing, cancels=interface.cancels),
        failpoint=nothing,
        close=close,
    )
