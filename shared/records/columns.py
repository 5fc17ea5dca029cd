"""What lists and pages show of a record beyond what all have: the columns of orders, of exports and of articles.

Called by `listing` and `history`, for a page of records of one flow at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from psycopg.rows import dict_row

from shared.db.connect import Connection
from shared.errors.entry import Language
from shared.records.parts import NAMES
from shared.records.personal import customer_name, initials
from shared.records.wording import explained, sentence

Row = Mapping[str, Any]
Columns = dict[int, dict[str, Any]]

_PARTS = "SELECT record_id, part, state, code, reason, updated_at FROM parts WHERE record_id = ANY(%s)"
_SHIPMENTS = """
SELECT s.record_id, s.shipment, s.state, s.carrier, s.tracking_number, s.remote, s.accepted_at, s.confirmed_at,
       n.number AS return_number
FROM shipments s LEFT JOIN return_numbers n ON (n.record_id, n.shipment) = (s.record_id, s.shipment)
WHERE s.record_id = ANY(%s) ORDER BY s.record_id, s.intended_at, s.shipment
"""
_ORDERS = """
SELECT e.id, o.id, o.remote FROM records e
JOIN records o ON (o.interface, o.flow, o.key) = (e.interface, 'order-import', e.key) WHERE e.id = ANY(%s)
"""
_ARTICLES = """
SELECT record_id, foreign_sku, name, kind AS type, parent_sku, listed_at, sent, sent_at, shown, shown_at FROM articles
WHERE record_id = ANY(%s)
"""


def columns(
    conn: Connection, rows: Sequence[Row], copies: Mapping[int, dict[str, Any]], reveal: bool, language: Language
) -> Columns:
    """By record id; the rows are of one flow. copies: data of the staged events; reveal False shows initials."""
    if not rows:
        return {}
    return _OF_FLOW[rows[0]["flow"]](conn, rows, copies, reveal, language)


def reason(problems: Any, language: Language) -> dict[str, Any] | None:
    """A stored list of problems in words; None where there is none."""
    found = explained(problems, language)
    return {"sentence": sentence(problems, language), "problems": found} if found else None


def _of_orders(
    _conn: Connection, rows: Sequence[Row], copies: Mapping[int, dict[str, Any]], reveal: bool, _language: Language
) -> Columns:
    found: Columns = {}
    for row in rows:
        order = copies.get(row["id"], {}).get("order") or {}
        name = customer_name(order)
        found[row["id"]] = {
            "number": row["key"],
            "erp_number": row["remote"],
            "total": order.get("total"),
            "currency": order.get("currency"),
            "customer": name if reveal or name is None else initials(name),
        }
    return found


def _of_exports(
    conn: Connection, rows: Sequence[Row], copies: Mapping[int, dict[str, Any]], _reveal: bool, language: Language
) -> Columns:
    ids = [row["id"] for row in rows]
    parts = {(part["record_id"], part["part"]): part for part in _read(conn, _PARTS, ids)}
    told: dict[int, list[dict[str, Any]]] = {}
    for shipment in _read(conn, _SHIPMENTS, ids):
        told.setdefault(shipment.pop("record_id"), []).append(shipment)
    orders = {id_: (order_id, remote) for id_, order_id, remote in conn.execute(_ORDERS, (ids,)).fetchall()}
    found: Columns = {}
    for row in rows:
        data = copies.get(row["id"], {})
        order_id, remote = orders.get(row["id"], (None, None))
        shipments = _shipments(data.get("shipments") or [], told.get(row["id"], []))
        found[row["id"]] = {
            "number": row["key"],
            "erp_number": data.get("erp_number") or remote,
            "order_id": order_id,
            "erp_status": data.get("status"),
            "parts": {name: _part(parts.get((row["id"], name)), language) for name in NAMES},
            "shipments": shipments,
            "tracking_numbers": [one["tracking_number"] for one in shipments if one["tracking_number"]],
        }
    return found


def _part(row: Row | None, language: Language) -> dict[str, Any]:
    if row is None:
        return {"state": "never", "code": None, "reason": None, "updated_at": None}
    return {
        "state": row["state"],
        "code": row["code"],
        "reason": reason(row["reason"], language),
        "updated_at": row["updated_at"],
    }


def _shipments(staged: Sequence[Row], told: Sequence[Row]) -> list[dict[str, Any]]:
    """The ERP's shipments, each with what the marketplace was told of it: state None where it was told nothing yet."""
    known = {shipment["id"]: shipment for shipment in staged if isinstance(shipment, dict) and shipment.get("id")}
    sent = {shipment["shipment"]: shipment for shipment in told}
    found = []
    for id_ in dict.fromkeys((*known, *sent)):
        erp, shop = known.get(id_, {}), sent.get(id_, {})
        found.append(
            {
                "id": id_,
                "carrier": shop.get("carrier") or erp.get("carrier"),
                "tracking_number": shop.get("tracking_number") or erp.get("tracking_number"),
                "tracking_url": erp.get("tracking_url"),
                "return_tracking_number": erp.get("return_tracking_number") or shop.get("return_number"),
                "shipped_at": erp.get("shipped_at"),
                "state": shop.get("state"),
                "remote": shop.get("remote"),
                "accepted_at": shop.get("accepted_at"),
                "confirmed_at": shop.get("confirmed_at"),
            }
        )
    return found


def _of_articles(
    conn: Connection, rows: Sequence[Row], copies: Mapping[int, dict[str, Any]], _reveal: bool, _language: Language
) -> Columns:
    articles = {article.pop("record_id"): article for article in _read(conn, _ARTICLES, [row["id"] for row in rows])}
    found: Columns = {}
    for row in rows:
        data = copies.get(row["id"], {})
        article = articles.get(row["id"]) or {
            **dict.fromkeys(("foreign_sku", "listed_at", "sent", "sent_at", "shown", "shown_at")),
            "name": data.get("name"),
            "type": data.get("kind") or "simple",
            "parent_sku": data.get("parent_sku"),
        }
        found[row["id"]] = {
            "sku": row["key"],
            **article,
            "erp_quantity": data.get("quantity"),
            "erp_quantity_at": row["changed_at"] if data else None,
            "confirmed": confirmed(article),
        }
    return found


def confirmed(article: Row) -> bool | None:
    """Whether the marketplace shows what it accepted; None before it was read back since."""
    if article["sent_at"] is None or article["shown_at"] is None or article["shown_at"] < article["sent_at"]:
        return None
    return bool(article["shown"] == article["sent"])


def _read(conn: Connection, statement: str, ids: Sequence[int]) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement.encode(), (list(ids),)).fetchall()


_OF_FLOW: dict[str, Callable[..., Columns]] = {
    "order-import": _of_orders,
    "order-export": _of_exports,
    "stock": _of_articles,
}
