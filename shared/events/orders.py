"""The contracts `order-imported.v1` and `order-changed.v1`. Unknown fields are ignored; fields are only ever added.

Values of a wrong type or form are refused here (a rejection). Business data that is merely absent is not: such an order
is staged and fails with its reasons, where a person can see and mend it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.events.field_types import (
    Country,
    Currency,
    Money,
    Number,
    Quantity,
    Rate,
    Sku,
    Slug,
    Text,
    Time,
    Version,
)


class Part(BaseModel):
    """A part of a contract."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Customer(Part):
    """Who bought. Personal data: kept out of logs, metrics and mails."""

    email: Text | None = None
    first_name: Text | None = None
    last_name: Text | None = None
    company: Text | None = None
    phone: Text | None = None


class Address(Part):
    """A postal address; what the marketplace does not tell is None and fails later, by name."""

    name: Text | None = None
    street: Text | None = None
    house_number: Text | None = None
    addition: Text | None = None
    zip_code: Text | None = None
    city: Text | None = None
    country: Country | None = None


class Line(Part):
    """An order line. `marketplace_ids` are the marketplace's positions it was merged from: some sell by the unit."""

    id: Number
    sku: Sku
    title: Text = ""
    quantity: Quantity
    unit_price: Money
    tax_rate: Rate | None = None
    marketplace_ids: tuple[Text, ...] = ()


class Shipping(Part):
    """The shipping method in the marketplace's words, and what the buyer pays for it."""

    method: Text
    price: Money = "0.00"
    tax_rate: Rate | None = None


class Discount(Part):
    """A discount on the whole order; the amount is positive."""

    title: Text = ""
    amount: Money
    tax_rate: Rate | None = None


class Payment(Part):
    """The payment method in the marketplace's words."""

    method: Text
    reference: Text | None = None


class Order(Part):
    """A marketplace order, the content of `order-imported.v1`."""

    number: Number
    marketplace_id: Number
    status: Literal["announced", "open", "cancelled"] = "open"
    version: Version | None = None
    changed_at: Time | None = None
    ordered_at: Time
    currency: Currency
    customer: Customer | None = None
    billing_address: Address | None = None
    shipping_address: Address | None = None
    lines: tuple[Line, ...] = Field(min_length=1, max_length=1000)
    shipping: Shipping | None = None
    discounts: tuple[Discount, ...] = ()
    payment: Payment | None = None
    total: Money
    ship_by: Time | None = None


class OrderImported(Part):
    """`order-imported.v1`: a marketplace order is known, or changed there."""

    interface: Slug
    order: Order


class ShipmentLine(Part):
    """What of an order line a shipment holds."""

    sku: Sku
    quantity: Quantity
    line_id: Number | None = None


class Shipment(Part):
    """One parcel. Shipments are merged by `id`, also out of superseded events."""

    id: Number
    carrier: Text | None = None
    tracking_number: Text | None = None
    tracking_url: Text | None = None
    return_carrier: Text | None = None
    return_tracking_number: Text | None = None
    shipped_at: Time | None = None
    lines: tuple[ShipmentLine, ...] = ()


class OrderChanged(Part):
    """`order-changed.v1`: the ERP changed an order: status, shipment, cancellation."""

    interface: Slug
    order_number: Number
    erp_number: Number | None = None
    status: Literal["released", "shipped", "partially_shipped", "cancelled", "completed"]
    changed_at: Time | None = None
    version: Version | None = None
    shipments: tuple[Shipment, ...] = ()
