"""CloudEvents 1.0 in structured JSON: what every event is wrapped in, and which contract belongs to which type."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints

from shared.events.field_types import Time
from shared.events.orders import OrderChanged, OrderImported
from shared.events.stock import StockChanged

Data = TypeVar("Data", bound=BaseModel)
Token = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class Event(BaseModel, Generic[Data]):
    """The envelope. (`source`, `id`) names the event; `type` names contract and version, e.g. `order-imported.v1`."""

    # pydantic would keep up to 16,384 texts of what it reads, for good: buyers' names, and a megabyte and a half.
    model_config = ConfigDict(extra="ignore", frozen=True, cache_strings="keys")

    specversion: Literal["1.0"]
    id: Token
    source: Token
    type: Token
    subject: str | None = None
    time: Time
    datacontenttype: str | None = None
    traceparent: str | None = None
    data: Data


CONTRACTS: dict[str, type[Event[Any]]] = {
    "order-imported.v1": Event[OrderImported],
    "order-changed.v1": Event[OrderChanged],
    "stock-changed.v1": Event[StockChanged],
}
"""The contract behind each `type`. A breaking change is a new entry, and both live for a while."""
