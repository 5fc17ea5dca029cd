"""The stage *marketplace* as the work loop needs it: opens a handler for each interface."""

from __future__ import annotations

from collections.abc import Callable

from psycopg_pool import ConnectionPool

from services.exporter.book import Book
from services.exporter.export import ORDER, OrderExport
from services.exporter.order import Orders
from services.exporter.status import Status
from services.exporter.tracking import Sending, Tracking
from shared.connectors.contract import Mappings
from shared.connectors.open import open_status_sink
from shared.db.connect import Connection
from shared.records.interfaces import Interface
from shared.runtime.remotes import Remotes

PATIENCE_SECONDS = 5.0


class MarketplaceStage:
    """Order-export, stage *marketplace*: it keeps its own intents, parcel by parcel, so a claim is none."""

    name = "marketplace"
    flow = "order-export"
    side = "marketplace"
    intends = False
    inline = False
    probes: tuple[str, ...] = (ORDER,)
    tells: str | None = None
    slots: int | None = None
    pause = 0.0

    def __init__(
        self,
        remotes: Remotes,
        pool: ConnectionPool[Connection],
        failpoint: Callable[[str], None],
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """pool: for the handlers' threads; patience: seconds that a sent parcel may stay out of sight at least."""
        self._remotes = remotes
        self._pool = pool
        self._failpoint = failpoint
        self._patience = patience

    def open(self, interface: Interface) -> OrderExport:
        """The marketplace's side, to send to and to look for orders that nobody imported. Raises ValueError."""
        calls = self._remotes.calls(interface, "marketplace")
        sink, close_sink = self._remotes.open(interface, "marketplace", open_status_sink, calls)
        source, close_source = self._remotes.marketplace(interface)
        connector = self._remotes.connector(interface, "marketplace")
        system, lag = connector.title, connector.lookup_lag
        book = Book(self._pool, interface.slug)
        sending = Sending(
            sink, system, Mappings(interface.mappings), calls.guarded, self._failpoint, lag, self._patience
        )

        def close() -> None:
            close_sink()
            close_source()

        return OrderExport(
            system,
            lag,
            sink=sink,
            orders=Orders(source),
            book=book,
            tracking=Tracking(sending, book),
            status=Status(sink, system, lag, self._failpoint, cancels=interface.cancels),
            failpoint=self._failpoint,
            close=close,
        )
