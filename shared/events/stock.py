"""The contract `stock-changed.v1`: the ERP's sellable quantity of an article changed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.events.field_types import Sku, Slug, Text, Time, Version
from shared.events.orders import Part

StockQuantity = Annotated[int, Field(strict=True, ge=-(10**9), le=10**9)]


class StockChanged(Part):
    """With `interface` it concerns that one, without it every interface that lists the SKU. Negative counts as 0."""

    interface: Slug | None = None
    sku: Sku
    parent_sku: Sku | None = None
    kind: Literal["simple", "parent", "variant"] = "simple"
    name: Text | None = None
    quantity: StockQuantity
    changed_at: Time | None = None
    version: Version | None = None
