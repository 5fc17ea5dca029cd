"""Puts records, payloads and history into a database directly, where a test is about reading them."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb

from shared.db.connect import Connection

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def order_event(number: str, **order: Any) -> dict[str, Any]:
    """An `order-imported.v1` event."""
    person = {"first_name": "Erika", "last_name": "Muster", "email": "e@example.org"}
    return {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": "/tests",
        "type": "order-imported.v1",
        "time": "2026-11-23T10:00:00Z",
        "data": {
            "interface": "otto-de",
            "order": {
                "number": number,
                "marketplace_id": f"m-{number}",
                "ordered_at": "2026-11-23T09:58:00Z",
                "currency": "EUR",
                "customer": person,
                "billing_address": {"name": "Erika Muster", "street": "Teststr.", "city": "Hamburg", "country": "DE"},
                "lines": [{"id": "1", "sku": "ABC-1", "title": "Shirt", "quantity": 2, "unit_price": "19.99"}],
                "total": "39.98",
                **order,
            },
        },
    }


def store_interface(conn: Connection, slug: str = "otto-de") -> None:
    """An interface without sides."""
    conn.execute(
        "INSERT INTO interfaces(slug, title, marketplace, erp, mode) VALUES (%s, 'OTTO', 'otto', 'xentral', 'live')"
        " ON CONFLICT DO NOTHING",
        (slug,),
    )


def store_record(conn: Connection, key: str, *, event: dict[str, Any] | None = None, **columns: Any) -> int:
    """A record with its payload; `columns` overwrite those of a pending order. `reason` is a list of problems."""
    row = {
        "interface": "otto-de",
        "flow": "order-import",
        "key": key,
        "stage": "erp",
        "state": "pending",
        "changed_at": NOW,
        "updated_at": NOW,
        "received_at": NOW,
        "input_at": NOW,
        "ordered_at": NOW,
        "data_hash": uuid.uuid4(),
        "input_hash": uuid.uuid4(),
        "marketplace_id": f"m-{key}",
        **columns,
    }
    if row.get("reason") is not None:
        row["reason"] = Jsonb(row["reason"])
    names = ", ".join(row)
    body = json.dumps(event or order_event(key), ensure_ascii=False).encode()
    found = conn.execute(  # at once, for what is told of a record in trouble is read out of its payload
        f"WITH r AS (INSERT INTO records({names}) VALUES ({', '.join(['%s'] * len(row))}) RETURNING id)"
        " INSERT INTO payloads(record_id, no, body) SELECT id, 1, %s FROM r RETURNING record_id",
        [*row.values(), body],
    ).fetchone()
    assert found is not None
    return int(found[0])
