"""Makes the events for what we read in an ERP ourselves: after a hint, by a poll, or because a person asks.

The id of `order-changed` is derived from interface, number and data: reading the same twice makes the same event. That
of `stock-changed` has the time of reading in it as well: a quantity that goes from 5 to 4 and back is not the first
event again. Its data has no time, so that the same quantity read twice is a duplicate by its content.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import orjson
from pydantic import ValidationError

from shared.broker.delivery import Message
from shared.connectors.contract import Article, ArticleKind, OrderChange
from shared.events.orders import OrderChanged
from shared.events.stock import StockChanged
from shared.records.hashes import body_hash, event_hash

Contract = TypeVar("Contract", OrderChanged, StockChanged)


class Made(NamedTuple):
    """An event. hash names (`source`, `id`) as the inbox does, data_hash its content."""

    hash: UUID
    data_hash: UUID
    body: bytes
    message: Message


def source_name(interface: str) -> str:
    """The `source` of the events that Connect publishes for an interface's ERP."""
    return f"/interfaces/{interface}/erp"


def order_changed(interface: str, change: OrderChange, at: datetime) -> Made:
    """at: when its reading began, by the database's clock; it counts where the ERP tells no time."""
    values = {
        "interface": interface,
        "order_number": change.number,
        "erp_number": change.erp_number,
        "status": change.status,
        "changed_at": change.changed_at,
        "shipments": change.shipments,
    }
    more = "" if change.changed_at else at.isoformat()
    subject = f"orders/{change.number}"
    return _made("order-changed", subject, _checked(OrderChanged, values), change.changed_at or at, more)


def stock_changed(
    interface: str, sku: str, quantity: int, at: datetime, *, kind: ArticleKind = "simple",
    parent_sku: str | None = None, name: str | None = None, moved: bool = False,
) -> Made:  # fmt: skip
    """at: when its reading began, by the database's clock. moved: it counts as a change even with the same content."""
    values = {
        "interface": interface,
        "sku": sku,
        "parent_sku": parent_sku,
        "kind": kind,
        "name": name,
        "quantity": quantity,
        "changed_at": at if moved else None,
    }
    return _made("stock-changed", f"articles/{sku}", _checked(StockChanged, values), at, at.isoformat())


def parent_changed(interface: str, article: Article, at: datetime) -> Made:
    """A parent has no quantity of its own: its variants are meant, however often."""
    return stock_changed(interface, article.sku, 0, at, kind="parent", moved=True)


def _checked(contract: type[Contract], values: Mapping[str, Any]) -> Contract:
    try:
        return contract(**values)
    except ValidationError:
        return contract.model_construct(**values)


def _made(event: str, subject: str, data: OrderChanged | StockChanged, at: datetime, more: str) -> Made:
    interface = str(data.interface)
    canonical = data.__pydantic_serializer__.to_json(data, exclude_none=True, warnings=False)
    source, kind = source_name(interface), f"{event}.v1"
    event_id = str(body_hash(f"{interface}\0{subject}\0{more}\0".encode() + canonical))
    whole = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": kind,
        "subject": subject,
        "time": at.isoformat(),
        "datacontenttype": "application/json",
        "data": orjson.loads(canonical),
    }
    body = orjson.dumps(whole)
    named = event_hash(source, event_id)
    return Made(named, body_hash(canonical), body, Message(body, f"{kind}.{interface}", message_id=str(named)))
