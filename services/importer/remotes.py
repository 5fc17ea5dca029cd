"""Opens the two remote systems of an interface, each under its shared rate limit and with its metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from psycopg_pool import ConnectionPool

from shared.connectors.contract import Connector, OrderSink, OrderSource
from shared.connectors.open import open_sink, open_source
from shared.db.connect import Connection
from shared.metrics import Metrics
from shared.records.interfaces import Interface
from shared.runtime.allowance import Allowance
from shared.runtime.calls import Calls

Close = Callable[[], None]


class Remotes:
    """One per process. deadline: seconds for one call. Raises ValueError where an interface's settings do not fit."""

    def __init__(
        self, connectors: Mapping[str, Connector], pool: ConnectionPool[Connection], metrics: Metrics, deadline: float
    ) -> None:
        self._connectors = connectors
        self._pool = pool
        self._metrics = metrics
        self._deadline = deadline

    def _connector(self, key: str) -> Connector:
        if key not in self._connectors:
            raise ValueError(f"there is no connector {key}, only {', '.join(sorted(self._connectors))}")
        return self._connectors[key]

    def title(self, key: str) -> str:
        """How people call a system."""
        return self._connector(key).title

    def calls(self, interface: Interface, side: str) -> Calls:
        """The context for calls of one side."""
        system = interface.marketplace if side == "marketplace" else interface.erp
        return Calls(system, Allowance(self._pool, interface.slug, side), self._metrics)

    def marketplace(self, interface: Interface) -> tuple[OrderSource, Close]:
        """The marketplace, and how to close it."""
        side = interface.sides["marketplace"]
        source, http = open_source(
            self._connector(interface.marketplace),
            {**side.settings, **side.secrets},
            self.calls(interface, "marketplace"),
            self._deadline,
        )
        return source, http.close

    def erp(self, interface: Interface, calls: Calls) -> tuple[OrderSink, Close, Connector]:
        """The ERP, how to close it, and its connector."""
        side = interface.sides["erp"]
        connector = self._connector(interface.erp)
        sink, http = open_sink(connector, {**side.settings, **side.secrets}, calls, self._deadline)
        return sink, http.close, connector
