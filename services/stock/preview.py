"""The dry run of a sync: the quantities that the marketplace would be sent, and what it shows now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from services.stock.look import OpenSource, read_now
from shared.connectors.contract import StockSink
from shared.db.connect import Connection
from shared.records.articles import their_skus
from shared.records.drafted import Document, Drafted
from shared.records.interfaces import Interface
from shared.runtime.receipts import Preview
from shared.runtime.remotes import Close

OpenSink = Callable[[Interface], tuple[StockSink, Close]]


def quantities_to_send(open_source: OpenSource, open_sink: OpenSink, title: Callable[[Interface], str]) -> Preview:
    """What a sync of these articles would send. Reads from both systems, stores nothing."""

    def preview(conn: Connection, interface: Interface, numbers: Sequence[str]) -> Mapping[str, Drafted]:
        look = read_now(conn, interface, numbers, open_source)
        theirs = their_skus(conn, interface.slug, list(look.read))
        sink, close = open_sink(interface)
        try:
            shown = sink.read_quantities(sorted({theirs.get(sku, sku) for sku in look.read})) if look.read else {}
        finally:
            close()
        system = title(interface)

        def document(sku: str) -> Document:
            their = theirs.get(sku, sku)
            now = {"quantity": shown[their].quantity if their in shown else None}
            return Document("quantity", system, {"sku": their, "quantity": max(0, look.read[sku])}, now)

        return {sku: Drafted([document(each) for each in wanted]) for sku, wanted in look.wanted(numbers).items()}

    return preview
