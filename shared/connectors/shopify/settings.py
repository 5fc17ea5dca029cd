"""What an interface says about its Shopify shop."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from shared.connectors.http import BaseUrl


class ShopifySettings(BaseModel):
    """Address and credentials of one shop, and how its orders are read.

    client_id:            of an app from the Dev Dashboard
    client_secret:        of the same app
    access_token:         of an app made in the shop's own settings, used where there is no client_id
    location_id:          the number of the location that stock is set at; empty means the shop's primary one
    currency:             amounts in what the buyer paid with (presentment), or in the shop's own currency
    ship_unpaid:          payment methods, separated by commas, whose orders may be shipped before they are paid
    tax_where_none:       rate of goods for which Shopify names no tax, e.g. 0.0; empty: the order fails and says so
    free_shipping_method: shipping method of orders that have none in Shopify; empty: they stay without
    default_carrier:      carrier of shipments for which the ERP names none
    notify_customer:      Shopify mails the buyer about shipments and cancellations
    refund_cancelled:     a cancelled order is paid back by Shopify at once
    restock_cancelled:    what is cancelled counts as sellable in Shopify again, until the ERP tells the next quantity
    page_size:            orders a page; a query may cost 1000 points, and an order takes more than a hundred
    stock_page_size:      articles a page when all quantities are read; three points each
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: BaseUrl
    client_id: str = Field(default="", max_length=200)
    client_secret: SecretStr | None = Field(default=None, max_length=500)
    access_token: SecretStr | None = Field(default=None, max_length=500)
    api_version: str = Field(default="2026-10", pattern=r"^\d{4}-(01|04|07|10)$")
    location_id: str = Field(default="", pattern=r"^\d{0,20}$")
    currency: Literal["presentment", "shop"] = "presentment"
    ship_unpaid: str = Field(default="", max_length=1000)
    tax_where_none: str = Field(default="", pattern=r"^(\d{1,3}(\.\d{1,4})?)?$")
    free_shipping_method: str = Field(default="", max_length=200)
    default_carrier: str = Field(default="", max_length=100)
    notify_customer: bool = False
    refund_cancelled: bool = False
    restock_cancelled: bool = True
    page_size: int = Field(default=8, ge=1, le=50)
    # With four calls a second that stays below a hundred points a second, so that a long list comes to its end.
    stock_page_size: int = Field(default=7, ge=1, le=250)

    @model_validator(mode="after")
    def _have_credentials(self) -> Self:
        if self.client_id and not self.client_secret:
            raise ValueError("client_id needs its client_secret")
        if not self.client_id and not self.access_token:
            raise ValueError("client_id and client_secret are needed, or an access_token")
        return self

    @property
    def unpaid_methods(self) -> frozenset[str]:
        """The payment methods of `ship_unpaid`, in lower case."""
        return frozenset(each.strip().casefold() for each in self.ship_unpaid.split(",") if each.strip())
