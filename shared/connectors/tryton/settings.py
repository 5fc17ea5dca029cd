"""What an interface says about its Tryton database."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from shared.connectors.http import BaseUrl


def _listed(value: Any) -> Any:
    """Forms and commands give one text."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Ids = Annotated[tuple[int, ...], BeforeValidator(_listed)]


class TrytonSettings(BaseModel):
    """Address, database and user of one Tryton, and which part of it is ours.

    company:        id of the company that sells
    web_shop:       id of the web shop that stands for our sales channel: only its sales are ours
    warehouse:      id of the warehouse that ships
    locations:      ids whose stock is sold, separated by commas; empty is the warehouse
    horizon:        days ahead that planned deliveries to customers count as gone; see README
    invoice_method: when Tryton invoices a sale
    tax_rounding:   as in Tryton's accounting configuration: taxes are rounded per document or per line
    delayed:        Tryton waits by itself before it processes a confirmed sale
    max_difference: if the marketplace's total differs by more than this, the sale waits as a quotation for a person
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: BaseUrl
    database: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,63}$")
    user: str = Field(min_length=1, max_length=200)
    password: SecretStr = Field(min_length=1, max_length=500)
    company: int = Field(ge=1)
    web_shop: int = Field(ge=1)
    warehouse: int = Field(ge=1)
    locations: Ids = ()
    horizon: int = Field(default=30, ge=0, le=365)
    invoice_method: Literal["order", "shipment", "manual"] = "shipment"
    tax_rounding: Literal["document", "line"] = "document"
    delayed: bool = False
    max_difference: Decimal = Field(default=Decimal("0.05"), ge=0, decimal_places=2)
