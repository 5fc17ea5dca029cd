"""Makes the event for an order that we read ourselves, from a poll or by hand.

Its id is derived from interface, number and data, so that reading the same thing twice makes the same event.
"""

from __future__ import annotations

from uuid import UUID

import orjson

from shared.connectors.contract import SourceOrder
from shared.events.orders import OrderImported
from shared.records.hashes import body_hash, event_hash


def source_name(interface: str) -> str:
    """The `source` of the events that Connect publishes for an interface."""
    return f"/interfaces/{interface}/marketplace"


def polled_event(interface: str, found: SourceOrder) -> tuple[UUID, bytes]:
    """The event's hash, as the inbox knows it, and the event itself."""
    data = OrderImported(interface=interface, order=found.order)
    canonical = data.__pydantic_serializer__.to_json(data, exclude_none=True)
    event_id = str(body_hash(f"{interface}\0{found.order.number}\0".encode() + canonical))
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": source_name(interface),
        "type": "order-imported.v1",
        "subject": f"orders/{found.order.number}",
        "time": found.changed_at.isoformat(),
        "datacontenttype": "application/json",
        "data": data.model_dump(mode="json", exclude_none=True),
    }
    return event_hash(source_name(interface), event_id), orjson.dumps(event)
