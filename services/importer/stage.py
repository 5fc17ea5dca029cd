"""The stage *erp* as the work loop needs it: opens a handler for each interface."""

from __future__ import annotations

from collections.abc import Callable

from services.importer.erp import SKU, OrderCreation, Tools
from shared.connectors.contract import SourceOrder
from shared.records.claim import Claim
from shared.records.interfaces import Interface
from shared.runtime.remotes import Remotes


class ErpStage:
    """Order-import, stage *erp*: creating an order is not idempotent, so a claim is an intent."""

    name = "erp"
    flow = "order-import"
    side = "erp"
    intends = True
    inline = False
    probes: tuple[str, ...] = (SKU,)
    tells: str | None = "order:"
    slots: int | None = None
    pause = 0.0

    def __init__(
        self, remotes: Remotes, failpoint: Callable[[str], None], restage: Callable[[Claim, SourceOrder], bool]
    ) -> None:
        self._remotes = remotes
        self._failpoint = failpoint
        self._restage = restage

    def open(self, interface: Interface) -> OrderCreation:
        """Both sides of the interface: the ERP to create in, the marketplace to read again. Raises ValueError."""
        calls = self._remotes.calls(interface, "erp")
        sink, close_sink = self._remotes.erp(interface, calls)
        connector = self._remotes.connector(interface, "erp")
        source, close_source = self._remotes.marketplace(interface)

        def close() -> None:
            close_sink()
            close_source()

        marketplace = self._remotes.title(interface, "marketplace")
        tools = Tools(connector.lookup_lag, marketplace, calls.guarded, self._failpoint, self._restage, close)
        return OrderCreation(interface, connector.title, sink, source, tools)
