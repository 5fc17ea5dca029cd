"""The stage *stock* as the work loop needs it: opens a handler for each interface."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from services.stock.parents import Parents
from services.stock.send import Sending, Tools
from shared.connectors.contract import StockSource
from shared.connectors.open import open_stock_sink, open_stock_source
from shared.db.connect import Connection
from shared.records.interfaces import Interface
from shared.runtime.remotes import Close, Remotes


class StockStage:
    """Flow *stock*, its only stage: quantities are absolute, so a call may be made again and a claim is no intent."""

    name = "stock"
    flow = "stock"
    side = "marketplace"
    intends = False
    inline = False
    probes: tuple[str, ...] = ()
    tells: str | None = None
    slots: int | None = 400  # two of the largest batches that a marketplace takes
    pause = 0.1

    def __init__(
        self,
        remotes: Remotes,
        connect: Callable[[], AbstractContextManager[Connection]],
        failpoint: Callable[[str], None],
        ring: Callable[[str], None],
    ) -> None:
        """connect: a connection for the handlers' threads; ring: the bell, when variants were taken in."""
        self._remotes = remotes
        self._connect = connect
        self._failpoint = failpoint
        self._ring = ring

    def open(self, interface: Interface) -> Sending:
        """The marketplace to send to, and the ERP for the variants of parents. Raises ValueError."""
        calls = self._remotes.calls(interface, "marketplace")
        sink, close_sink = self._remotes.open(interface, "marketplace", open_stock_sink, calls)
        connector = self._remotes.connector(interface, "marketplace")
        source, close_source = self._source(interface)

        def close() -> None:
            close_sink()
            close_source()

        erp = self._remotes.title(interface, "erp")
        parents = Parents(interface.slug, erp, source, self._connect, self._failpoint, self._ring)
        tools = Tools(connector.lookup_lag, self._connect, calls.guarded, self._failpoint, close)
        return Sending(interface.slug, connector.title, sink, parents, tools)

    def _source(self, interface: Interface) -> tuple[StockSource | None, Close]:
        """An ERP that tells no quantities is none of the marketplace's business: only parents need it."""
        try:
            return self._remotes.open(interface, "erp", open_stock_source)
        except ValueError:
            return None, lambda: None
