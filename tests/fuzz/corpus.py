"""Where fuzzing begins: good events, the orders of every connector's samples, and the defects that the tests know."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from shared.connectors.registry import discover
from tests.faults.poison import KINDS

ADDRESS = {
    "name": "Erika Muster", "street": "Teststr.", "house_number": "1a", "addition": None, "zip_code": "22179",
    "city": "Hamburg", "country": "DE",
}  # fmt: skip
ORDER: dict[str, Any] = {
    "number": "4711", "marketplace_id": "774133d5", "status": "open", "version": 3,
    "ordered_at": "2026-11-23T09:58:00Z", "changed_at": "2026-11-23T09:59:00Z",
    "currency": "EUR", "total": "39.88", "ship_by": "2026-11-25T22:00:00Z",
    "customer": {"email": "e@example.org", "first_name": "Erika", "last_name": "Muster", "company": None,
                 "phone": None},
    "billing_address": ADDRESS, "shipping_address": ADDRESS,
    "lines": [
        {"id": "1", "sku": "ABC-1", "title": "Shirt", "quantity": 2, "unit_price": "19.99", "tax_rate": "19.0",
         "marketplace_ids": ["p-1", "p-2"]},
        {"id": "2", "sku": "Ü/2.x", "quantity": 1, "unit_price": "5", "tax_rate": "7"},
    ],
    "shipping": {"method": "DELIVERY_FEE_STANDARD", "price": "4.90", "tax_rate": "19.0"},
    "discounts": [{"title": "Welcome", "amount": "5.00", "tax_rate": "19.0"}],
    "payment": {"method": "INVOICE_SINGLE", "reference": None},
}  # fmt: skip
SHIPMENT = {
    "id": "s-1", "carrier": "DHL", "tracking_number": "00340", "tracking_url": None, "return_carrier": None,
    "return_tracking_number": "R1", "shipped_at": "2026-11-24T08:00:00Z",
    "lines": [{"sku": "ABC-1", "quantity": 2, "line_id": "1"}],
}  # fmt: skip
CHANGE = {
    "interface": "otto-de", "order_number": "4711", "erp_number": "200", "status": "shipped", "version": 7,
    "changed_at": "2026-11-24T09:00:00Z", "shipments": [SHIPMENT],
}  # fmt: skip
STOCK = {
    "interface": "otto-de", "sku": "ABC-1", "parent_sku": "ABC", "kind": "variant", "name": "Shirt", "quantity": 5,
    "changed_at": "2026-11-24T09:00:00Z", "version": 1,
}  # fmt: skip


def event(slug: str, data: dict[str, Any]) -> dict[str, Any]:
    """A good event of that kind."""
    return {
        "specversion": "1.0", "id": f"{slug}-1", "source": "/fuzz", "type": f"{slug}.v1", "subject": "orders/4711",
        "time": "2026-11-24T10:00:00Z", "datacontenttype": "application/json", "traceparent": None, "data": data,
    }  # fmt: skip


@cache
def events() -> dict[str, dict[str, Any]]:
    """A good event of each kind, by the queue it is for."""
    return {
        "order-imported": event("order-imported", {"interface": "otto-de", "order": ORDER}),
        "order-changed": event("order-changed", CHANGE),
        "stock-changed": event("stock-changed", STOCK),
    }


@cache
def poison() -> tuple[bytes, ...]:
    """Bodies that are refused."""
    return tuple(make(events()["order-imported"], "t") for make in KINDS.values())


@cache
def orders(connector: str) -> tuple[Any, ...]:
    """The orders of a marketplace's samples, as it tells them."""
    return tuple(each["raw"] for each in _samples(connector, "order-*.json") if "raw" in each)


@cache
def mappings(connector: str) -> dict[str, dict[str, str]]:
    """What an ERP's samples map."""
    (table,) = _samples(connector, "mappings.json")
    return dict(table)


@cache
def settings(connector: str) -> dict[str, Any]:
    """Good settings of a connector."""
    (found,) = _samples(connector, "settings.json")
    return {**found, "base_url": "http://127.0.0.1:9"}


@cache
def samples(connector: str, pattern: str) -> tuple[Any, ...]:
    """Samples whose file name fits."""
    return tuple(_samples(connector, pattern))


def _samples(connector: str, pattern: str) -> list[Any]:
    folder = discover()[connector].folder / "samples"
    return [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob(pattern))]
