"""Makes `stock-changed` of a quantity that we read ourselves, because a parent or a person asked for it."""

from __future__ import annotations

from datetime import datetime

import orjson

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
    data = StockChanged(
        interface=interface,
        sku=sku,
        parent_sku=parent_sku,
        kind="variant" if parent_sku else "simple",
        quantity=quantity,
    )
    event = {
        "specversion": "1.0",
        "id": str(body_hash(f"{source}\0{interface}\0{sku}\0{at.isoformat()}".encode())),
        "source": source,
        "type": f"{EVENT}.v1",
        "subject": f"articles/{sku}",
        "time": at.isoformat(),
        "datacontenttype": "application/json",
        "data": data.model_dump(mode="json", exclude_none=True),
    }
    return Arrival(orjson.dumps(event), "connect", f"read from the ERP of {interface}", EVENT, forced=forced)
