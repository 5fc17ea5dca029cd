"""What an interface says about its Vendure shop."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from shared.connectors.http import BaseUrl
from shared.connectors.order_page import OrderPage


class VendureSettings(BaseModel):
    """Address, API key and habits of one channel of a shop.

    api_path:            where the Admin API is
    channel_token:       the channel to work in; empty: the default channel
    money_precision:     decimals of the shop's amounts, as its MoneyStrategy says
    announced_payments:  payment methods whose orders wait until the money is there; others need an authorisation only
    free_payment_method: the payment method of orders that cost nothing and have no payment
    surcharge_sku:       the article that stands for surcharges without a SKU of their own
    look_back_days:      how long after its placing an order that has left or was cancelled is still watched
    stock_location:      name or id of the location whose stock is ours; empty: the shop's first one
    carriers:            the names that the shop shows; empty: any name as the ERP writes it
    untracked_carriers:  whose parcels have no number, such as letters
    fulfillment_handler: code of the handler that makes fulfilments, with the arguments `method` and `trackingCode`
    return_argument:     its argument for the number of a return label; where it has one, each parcel must name a number
    order_page:          where people see an order: an address with {order} in place of its id there
    page_size:           orders read by one call; the shop asks its database for each part of each of them
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: BaseUrl
    api_key: SecretStr = Field(min_length=1, max_length=500)
    api_path: str = Field(default="/admin-api", pattern=r"^/[^\s?#]*$")
    channel_token: str = Field(default="", max_length=200, pattern=r"^[\x21-\x7e]*$")
    money_precision: int = Field(default=2, ge=0, le=4)
    announced_payments: tuple[str, ...] = ()
    free_payment_method: str = "free"
    surcharge_sku: str = Field(default="SURCHARGE", min_length=1, max_length=200)
    look_back_days: int = Field(default=14, ge=0, le=365)
    stock_location: str = Field(default="", max_length=200)
    carriers: tuple[str, ...] = ()
    untracked_carriers: tuple[str, ...] = ()
    fulfillment_handler: str = Field(default="manual-fulfillment", min_length=1, max_length=200)
    return_argument: str = Field(default="", max_length=100)
    order_page: OrderPage = ""
    page_size: int = Field(default=20, ge=1, le=200)
