"""Takes the person out of an event: what a buyer chose or is known by goes, what the books and later events need stays.

A list of what stays, not of what goes: a field that nobody knows, such as a note of the buyer, goes as well. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shared.events.orders import Order

MARK = "(erased)"
"""Stands where something was that names a person."""

_ENVELOPE = ("specversion", "source", "type", "time", "datacontenttype", "traceparent")
_ORDER = (
    "number", "marketplace_id", "status", "version", "changed_at", "ordered_at", "currency", "total", "ship_by",
)  # fmt: skip
_LINE = ("id", "sku", "quantity", "unit_price", "tax_rate", "marketplace_ids")
_SHIPPING = ("method", "price", "tax_rate")
_DISCOUNT = ("amount", "tax_rate")
_PAYMENT = ("method",)
_CHANGED = ("interface", "order_number", "erp_number", "status", "changed_at", "version")
_SHIPMENT = ("id", "carrier", "return_carrier", "shipped_at")
_SHIPPED = ("sku", "quantity", "line_id")
NAMED = ("customer", "billing_address", "shipping_address")


def erased_event(body: bytes) -> bytes:
    """A stored `order-imported` or `order-changed` event without the person, as valid as before; the same again for
    one that was erased already. What cannot be read becomes a mark alone."""
    try:
        event = json.loads(body)
    except ValueError:
        event = None
    if not isinstance(event, dict) or not isinstance(event.get("data"), dict):
        return json.dumps(MARK).encode()
    data = event["data"]
    kept = _order_imported(data) if isinstance(data.get("order"), dict) else _order_changed(data)
    return json.dumps({**_only(event, _ENVELOPE), "id": MARK, "data": kept}, ensure_ascii=False).encode()


def is_erased(order: Order) -> bool:
    """Whether the person was taken out of this order: it must not be sent any more."""
    return order.customer is not None and order.customer.last_name == MARK


def _order_imported(data: Mapping[str, Any]) -> dict[str, Any]:
    order = data["order"]
    kept = _only(order, _ORDER) | {"lines": [_only(one, _LINE) for one in _parts(order.get("lines"))]}
    kept["customer"] = {"last_name": MARK}
    for name in NAMED[1:]:
        country = (order.get(name) or {}).get("country") if isinstance(order.get(name), dict) else None
        kept[name] = {"name": MARK, "country": country}
    if isinstance(order.get("shipping"), dict):
        kept["shipping"] = _only(order["shipping"], _SHIPPING)
    if isinstance(order.get("payment"), dict):
        kept["payment"] = _only(order["payment"], _PAYMENT)
    kept["discounts"] = [_only(one, _DISCOUNT) for one in _parts(order.get("discounts"))]
    return {**_only(data, ("interface",)), "order": kept}


def _order_changed(data: Mapping[str, Any]) -> dict[str, Any]:
    shipments = [
        _only(one, _SHIPMENT) | {"lines": [_only(line, _SHIPPED) for line in _parts(one.get("lines"))]}
        for one in _parts(data.get("shipments"))
    ]
    return {**_only(data, _CHANGED), "shipments": shipments}


def _parts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _only(value: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value[name] for name in names if name in value}
