"""Opens the two remote systems of an interface, each capability under its side's rate limit and with its metrics."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from psycopg_pool import ConnectionPool

from shared.connectors.contract import (
    CallContext,
    Connector,
    OrderSink,
    OrderSource,
    OwnTokens,
    StatusSource,
    Tokens,
)
from shared.connectors.open import Opened, open_sink, open_source, open_status_source
from shared.db.connect import Connection
from shared.metrics import Metrics
from shared.networks import Networks
from shared.records.interfaces import Interface
from shared.runtime.allowance import Allowance, shared_turns
from shared.runtime.calls import Calls
from shared.runtime.tokens import SharedTokens
from shared.seal import Seal

Close = Callable[[], None]
Capability = TypeVar("Capability")
Open = Callable[[Connector, Mapping[str, Any], CallContext, float, Networks | None], Opened[Capability]]
"""One of `connectors.open`."""


class Remotes:
    """One per process. Raises ValueError where an interface's settings do not fit.

    deadline: seconds for one call; networks: the private addresses that may be called, without them public ones only.
    seal: for the access tokens that all processes share, without it each has its own.
    """

    def __init__(
        self,
        connectors: Mapping[str, Connector],
        pool: ConnectionPool[Connection],
        metrics: Metrics,
        deadline: float,
        networks: Networks | None = None,
        seal: Seal | None = None,
    ) -> None:
        self._connectors = connectors
        self._pool = pool
        self._metrics = metrics
        self._deadline = deadline
        self._networks = networks
        self._seal = seal

    @property
    def connectors(self) -> Mapping[str, Connector]:
        """Every connector there is."""
        return self._connectors

    def connector(self, interface: Interface, side: str) -> Connector:
        """The connector of one side."""
        key = self._key(interface, side)
        if key not in self._connectors:
            raise ValueError(f"there is no connector {key}, only {', '.join(sorted(self._connectors))}")
        return self._connectors[key]

    def title(self, interface: Interface, side: str) -> str:
        """How people call a system."""
        return self.connector(interface, side).title

    def calls(self, interface: Interface, side: str) -> Calls:
        """The context for calls of one side."""
        return Calls(
            self._key(interface, side),
            Allowance(shared_turns(self._pool, interface.slug, side)),
            self._metrics,
            self._tokens(interface, side),
            interface.sides[side].calls_at_once,
        )

    def _tokens(self, interface: Interface, side: str) -> Tokens:
        if self._seal is None:
            return OwnTokens()
        account = interface.sides[side]
        # A token belongs to the credentials and rights it was made from: other settings want another one.
        made_from = json.dumps([account.settings, account.secrets], sort_keys=True, default=str)
        owner = hashlib.sha256(made_from.encode()).hexdigest()
        return SharedTokens(self._pool, self._seal, interface.slug, side, owner=owner, patience=self._deadline)

    def open(
        self, interface: Interface, side: str, capability: Open[Capability], calls: CallContext | None = None
    ) -> tuple[Capability, Close]:
        """One capability of a side, such as `open_stock_sink`, and how to close it."""
        account = interface.sides[side]
        opened, http = capability(
            self.connector(interface, side),
            {**account.settings, **account.secrets},
            calls or self.calls(interface, side),
            self._deadline,
            self._networks,
        )
        return opened, http.close

    def marketplace(self, interface: Interface) -> tuple[OrderSource, Close]:
        """The marketplace that orders come from, and how to close it."""
        return self.open(interface, "marketplace", open_source)

    def erp(self, interface: Interface, calls: Calls) -> tuple[OrderSink, Close]:
        """The ERP that orders are created in, and how to close it."""
        return self.open(interface, "erp", open_sink, calls)

    def changes(
        self, interface: Interface, around: Callable[[CallContext], CallContext] | None = None
    ) -> tuple[StatusSource, Close]:
        """The ERP that tells changes of orders, and how to close it. around: wraps its calls, to slow them down."""
        calls = self.calls(interface, "erp")
        return self.open(interface, "erp", open_status_source, around(calls) if around else calls)

    @staticmethod
    def _key(interface: Interface, side: str) -> str:
        return interface.marketplace if side == "marketplace" else interface.erp
