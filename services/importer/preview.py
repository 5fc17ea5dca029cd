"""The dry run of an import: the very document that would be created in the ERP, or everything that stands against it.

The handler of the stage *erp* itself, with an ERP that looks up for real and only notes what it would create.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.importer.erp import OrderCreation, Tools
from services.importer.fetch import arrival
from shared.connectors.contract import Draft, Mappings, OrderSink, OrderSource, RemoteOrder, ShowsDocument
from shared.db.connect import Connection
from shared.errors.problem import Problem
from shared.events.orders import Order
from shared.failpoint import Failpoints
from shared.records.drafted import Document, Drafted
from shared.records.interfaces import Interface
from shared.runtime.preview import Notes, imagined
from shared.runtime.receipts import Preview
from shared.runtime.remotes import Remotes


@dataclass(frozen=True, slots=True)
class NotingErp:
    """An ERP that creates and cancels nothing."""

    sink: OrderSink
    title: str
    notes: Notes

    def draft(self, order: Order, mappings: Mappings) -> Draft | list[Problem]:
        """As the real one."""
        return self.sink.draft(order, mappings)

    def find_products(self, skus: Sequence[str]) -> set[str]:
        """As the real one: a read."""
        return self.sink.find_products(skus)

    def find_orders(self, numbers: Sequence[str]) -> dict[str, list[RemoteOrder]]:
        """As the real one: a read."""
        return self.sink.find_orders(numbers)

    def create_order(self, draft: Draft) -> RemoteOrder:
        """Notes the body that the real one would send."""
        body = self.sink.completed(draft) if isinstance(self.sink, ShowsDocument) else draft.document
        self.notes.note(Document("order", self.title, body))
        return RemoteOrder("", draft.number, draft.marketplace_id)

    def cancel_order(self, order_id: str) -> None:
        """Notes which."""
        self.notes.note(Document("order-cancellation", self.title, {"order": order_id}))

    def ping(self) -> None:
        """As the real one."""
        self.sink.ping()


def orders_to_create(remotes: Remotes) -> Preview:
    """What an import of these orders would create. Reads from both systems, stores nothing."""

    def preview(conn: Connection, interface: Interface, numbers: Sequence[str]) -> Mapping[str, Drafted]:  # noqa: ARG001
        source, close_source = remotes.marketplace(interface)
        try:
            found = source.read_orders(numbers)
            bodies = {each.order.number: arrival(interface.slug, each).body for each in found.values()}
            notes = dry_run(remotes, interface, source, bodies)
        finally:
            close_source()
        return {number: notes.drafted(each.order.number) for number, each in found.items()}

    return preview


def dry_run(remotes: Remotes, interface: Interface, source: OrderSource, bodies: Mapping[str, bytes]) -> Notes:
    """What the stage *erp* would do with these events, by number. Raises RemoteError where a look-up fails."""
    calls = remotes.calls(interface, "erp")
    sink, close_sink = remotes.erp(interface, calls)
    title, notes = remotes.title(interface, "erp"), Notes()
    tools = Tools(
        0.0,
        remotes.title(interface, "marketplace"),
        calls.guarded,
        Failpoints(""),
        lambda *_: False,
        close_sink,
    )
    handler = OrderCreation(interface, title, NotingErp(sink, title, notes), source, tools)
    try:
        batch = [imagined(interface.slug, number, body) for number, body in bodies.items()]
        handler.handle(batch, notes.say, notes.each)
    finally:
        handler.close()
    return notes
