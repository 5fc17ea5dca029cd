"""What an interface says about its OTTO Market account."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from shared.connectors.http import BaseUrl
from shared.connectors.order_page import OrderPage


class OttoSettings(BaseModel):
    """Address and credentials of one partner account.

    token_path:           where the token comes from; installations through an app use another path
    free_shipping_method: the shipping method of orders that OTTO sends without any delivery fee
    scope:                what the token may do, separated by blanks; stock needs `availability`, status `shipments` too
    ship_from_…:          where parcels leave, as OTTO demands it with each shipment; country as DE or DEU
    return_carrier:       whose return labels are in the parcels, as chosen in the portal, where the ERP does not say
    order_page:           where people see an order: an address with {order} in place of its id there
    page_size:            orders a page, at most 256; few enough to stay below the cap of an answer when they are large
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: BaseUrl = "https://api.otto.market"
    client_id: str = Field(min_length=1, max_length=200, description="of the app or API access in OTTO Partner Connect")
    client_secret: SecretStr = Field(min_length=1, max_length=500, description="shown there once, when it is made")
    scope: str = "orders"
    token_path: str = Field(default="/v1/token", pattern=r"^/\S*$")
    free_shipping_method: str = "DELIVERY_FEE_STANDARD"
    ship_from_city: str = Field(default="", max_length=60)
    ship_from_zip: str = Field(default="", max_length=10)
    ship_from_country: str = Field(default="DE", pattern=r"^([A-Za-z]{2,3})?$")
    return_carrier: Literal["", "DHL", "GLS", "HERMES"] = ""
    order_page: OrderPage = ""
    page_size: int = Field(default=64, ge=1, le=256)
