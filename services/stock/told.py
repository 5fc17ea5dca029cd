"""Makes `stock-changed` of a quantity that we read ourselves, because a parent or a person asked for it."""

from __future__ import annotations

from datetime import datetime

import orjson

from shared.connectors.contract import ArticleKind
from shared.events.stock import StockChanged
from shared.records.hashes import body_hash
from shared.runtime.prepare import Arrival

EVENT = "stock-changed"


def read_quantity(
    interface: str, sku: str, quantity: int, at: datetime, source: str, parent_sku: str | None, *, forced: bool
) -> Arrival:
    """The input for one article whose quantity was read in a look that began `at`.

    Its id names the look. Where nothing changed the data is the same as the staged one's, and so it is a duplicate.
    """
    kind: ArticleKind = "variant" if parent_sku else "simple"
    data = StockChanged(interface=interface, sku=sku, parent_sku=parent_sku, kind=kind, quantity=quantity)
    return _arrival(data, interface, at, source, forced=forced)


def asked_parent(interface: str, sku: str, at: datetime, source: str) -> Arrival:
    """The input for a parent that a person asked for; it has no quantity, its variants come beside it."""
    data = StockChanged(interface=interface, sku=sku, kind="parent", quantity=0)
    return _arrival(data, interface, at, source, forced=True)


def _arrival(data: StockChanged, interface: str, at: datetime, source: str, *, forced: bool) -> Arrival:
    event = {
        "specversion": "1.0",
        "id": str(body_hash(f"{source}\0{interface}\0{data.sku}\0{at.isoformat()}".encode())),
        "source": source,
        "type": f"{EVENT}.v1",
        "subject": f"articles/{data.sku}",
        "time": at.isoformat(),
        "datacontenttype": "application/json",
        "data": data.model_dump(mode="json", exclude_none=True),
    }
    return Arrival(orjson.dumps(event), "connect", f"read from the ERP of {interface}", EVENT, forced=forced)
