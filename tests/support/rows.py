"""Puts exports with parts and shipments, and articles, into a database directly, as the flows would leave them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from tests.support.stored import NOW, store_record


def changed_event(number: str, **data: Any) -> dict[str, Any]:
    """An `order-changed.v1` event with one shipment."""
    return {
        "specversion": "1.0",
        "id": f"c-{number}",
        "source": "/tests",
        "type": "order-changed.v1",
        "time": "2026-11-23T10:00:00Z",
        "data": {
            "interface": "otto-de",
            "order_number": number,
            "erp_number": f"XE-{number}",
            "status": "shipped",
            "shipments": [
                {"id": "1", "carrier": "DHL", "tracking_number": f"T-{number}", "lines": [{"sku": "ABC-1"}]},
            ],
            **data,
        },
    }


def stock_event(sku: str, quantity: int, **data: Any) -> dict[str, Any]:
    """A `stock-changed.v1` event."""
    return {
        "specversion": "1.0",
        "id": f"s-{sku}",
        "source": "/tests",
        "type": "stock-changed.v1",
        "time": "2026-11-23T10:00:00Z",
        "data": {"interface": "otto-de", "sku": sku, "quantity": quantity, **data},
    }


def store_export(
    conn: Connection,
    key: str,
    *,
    parts: dict[str, str] | None = None,
    event: dict[str, Any] | None = None,
    **columns: Any,
) -> int:
    """An export; parts: name → state. Grey, as every order's is at first, where there is no event."""
    grey = {"state": "never", "payload_no": 0} if event is None else {}
    row = {"flow": "order-export", "stage": "marketplace", **grey, **columns}
    record = store_record(conn, key, event=event or {}, **row)
    if event is None:
        conn.execute("DELETE FROM payloads WHERE record_id = %s", (record,))
    problems = Jsonb(columns["reason"]) if columns.get("reason") else None
    for part, state in (parts or {}).items():
        failed = state in ("failed", "waiting", "warning")
        conn.execute(
            "INSERT INTO parts(record_id, part, state, code, reason, updated_at) VALUES (%s, %s, %s, %s, %s, %s)",
            (record, part, state, columns.get("code") if failed else None, problems if failed else None, NOW),
        )
    return record


def store_shipment(
    conn: Connection, record: int, shipment: str, tracking_number: str, *, state: str = "accepted", carrier: str = "DHL"
) -> None:
    """A shipment that the marketplace was told."""
    conn.execute(
        "INSERT INTO shipments(record_id, shipment, state, carrier, tracking_number, units, document, claim_no,"
        " accepted_at) VALUES (%s, %s, %s, %s, %s, '{}', '{}', 1, %s)",
        (record, shipment, state, carrier, tracking_number, None if state == "intended" else NOW),
    )


def store_article(
    conn: Connection,
    sku: str,
    *,
    quantity: int | None = None,
    kind: str = "simple",
    name: str | None = None,
    foreign_sku: str | None = None,
    parent_sku: str | None = None,
    sent: int | None = None,
    shown: int | None = None,
    shown_at: datetime | None = NOW,
    **columns: Any,
) -> int:
    """A listed article; grey where the ERP has told no quantity."""
    grey = {"state": "never", "payload_no": 0} if quantity is None else {"state": "done"}
    row = {"flow": "stock", "stage": "stock", "marketplace_id": None, "ordered_at": None, **grey, **columns}
    record = store_record(conn, sku, event=stock_event(sku, quantity or 0), **row)
    if quantity is None:
        conn.execute("DELETE FROM payloads WHERE record_id = %s", (record,))
    conn.execute(
        "INSERT INTO articles(record_id, interface, sku, foreign_sku, name, kind, parent_sku, listed_at, sent, sent_at,"
        " shown, shown_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            record, columns.get("interface", "otto-de"), sku, foreign_sku, name, kind, parent_sku, NOW, sent,
            None if sent is None else NOW, shown, None if sent is None and shown is None else shown_at,
        ),
    )  # fmt: skip
    return record
