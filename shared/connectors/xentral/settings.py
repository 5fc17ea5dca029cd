"""What an interface says about its Xentral account."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from shared.connectors.http import BaseUrl


def _listed(value: Any) -> Any:
    """Forms and commands give one text."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _key(value: SecretStr | None) -> SecretStr | None:
    """Checked here and not by the type: who stores settings tells a secret by its plain type."""
    if value is not None and not 1 <= len(value.get_secret_value()) <= 255:
        raise ValueError("must have 1 to 255 characters")
    return value


class XentralSettings(BaseModel):
    """Address and personal access token of one Xentral instance.

    max_difference: above this difference between the marketplace's total and ours an order is not shipped on its own
    channel:        id of our sales channel there; where it is empty, the mapping `setting: channel` of the last order
                    that was drafted decides which orders are ours
    warehouses:     ids of the warehouses whose stock is sold, separated by commas; empty is all of them
    reservations, open_orders, correction, pseudo_stock:
                    what else makes the sellable quantity, see `sellable.py`
    foreign_target: id of the external reference target that holds the sales channel's own article numbers
    webhook_key:    signature key of the webhook, as entered in Xentral
    webhook_window: seconds by which a webhook's timestamp may differ from our clock
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: BaseUrl
    token: SecretStr = Field(
        min_length=1, max_length=500, description="personal access token, shown once when it is made"
    )
    max_difference: Decimal = Field(default=Decimal("0.05"), ge=0, decimal_places=2)
    channel: str = Field(default="", pattern=r"^[0-9]*$")
    warehouses: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    reservations: bool = True
    open_orders: bool = False
    correction: bool = False
    pseudo_stock: bool = False
    foreign_target: str = Field(default="", pattern=r"^[0-9]*$")
    webhook_key: Annotated[SecretStr | None, AfterValidator(_key)] = None
    webhook_window: int = Field(default=300, ge=1, le=86_400)
