"""Events as a marketplace sends them: about 1.5 kB, three lines, none like another. Called by the driver."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import orjson

INTERFACE = "bench"
PAUSED = "bench-paused"
ROUTING_KEY = f"order-imported.v1.{INTERFACE}"

_CITIES = (("22179", "Hamburg"), ("80331", "München"), ("50667", "Köln"), ("01067", "Dresden"), ("28195", "Bremen"))
_ARTICLES = ("Hemd, Leinen", "Hose, Größe 38", "Schal", "Jacke mit Kapuze", "Gürtel", "Kleid, gestreift", "Mütze")


def orders(count: int, first: int = 1) -> Iterator[tuple[str, bytes]]:
    """(order number, event) for `count` orders numbered from `first`; ids are new with every call."""
    batch = uuid4()
    for n in range(first, first + count):
        number = f"B{n:08d}"
        yield number, orjson.dumps(_event(n, number, UUID(int=(batch.int + n) % 2**128)))


def _event(n: int, number: str, event_id: UUID) -> dict[str, object]:
    now = datetime.now(UTC)
    zip_code, city = _CITIES[n % len(_CITIES)]
    address = {
        "name": "Erika Muster",
        "street": "Teststr.",
        "house_number": f"{n % 200 + 1}a",
        "addition": None,
        "zip_code": zip_code,
        "city": city,
        "country": "DE",
    }
    lines = [
        {
            "id": str(k + 1),
            "sku": f"ABC-{(n * 7 + k * 131) % 5000}",
            "title": _ARTICLES[(n + k) % len(_ARTICLES)],
            "quantity": 1 + (n + k) % 3,
            "unit_price": f"{5 + (n * 3 + k) % 90}.99",
            "tax_rate": "19.0",
            "marketplace_ids": [f"p-{n}-{k}"],
        }
        for k in range(3)
    ]
    return {
        "specversion": "1.0",
        "id": str(event_id),
        "source": "/marketplaces/bench",
        "type": "order-imported.v1",
        "subject": f"orders/{number}",
        "time": now.isoformat(),
        "datacontenttype": "application/json",
        "traceparent": f"00-{event_id.hex}-{event_id.hex[:16]}-01",
        "data": {
            "interface": INTERFACE,
            "order": {
                "number": number,
                "marketplace_id": str(event_id),
                "status": "open",
                "version": 1,
                "ordered_at": (now - timedelta(minutes=2)).isoformat(),
                "currency": "EUR",
                "customer": {
                    "email": f"e{n}@example.org",
                    "first_name": "Erika",
                    "last_name": "Muster",
                    "company": None,
                    "phone": None,
                },
                "billing_address": address,
                "shipping_address": address,
                "lines": lines,
                "shipping": {"method": "DELIVERY_FEE_STANDARD", "price": "4.90", "tax_rate": "19.0"},
                "discounts": [],
                "payment": {"method": "INVOICE_SINGLE", "reference": None},
                "total": f"{20 + n % 180}.87",
                "ship_by": (now + timedelta(days=2)).isoformat(),
            },
        },
    }
