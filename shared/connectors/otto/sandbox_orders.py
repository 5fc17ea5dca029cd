"""Invents orders for the stand-in of OTTO Market: good ones, and ones with the faults a shop really has."""

from __future__ import annotations

import random
import string
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Raw = dict[str, Any]
UNKNOWN_SKUS = tuple(f"NEW-0815-{number}" for number in range(1, 6))
"""The marketplace lists them, the ERP does not know them."""

_FIRST = ("Erika", "Max", "Anna", "Jörg", "Sofia", "Zoë")
_LAST = ("Muster", "Mustermann", "Beispiel", "Probe")
_PLACES = (("22179", "Hamburg"), ("10115", "Berlin"), ("50667", "Köln"), ("80331", "München"), ("01067", "Dresden"))


def order(
    products: Sequence[Mapping[str, Any]], now: str, number: str | None, defects: Sequence[str], units: int
) -> Raw:
    """One PartnerOrder with `units` position items over `products`, with every defect that is named."""
    chance = random.Random()  # noqa: S311 - example data
    person = _address(chance)
    items = [_item(products[unit % len(products)], now) for unit in range(units)]
    raw: Raw = {
        "salesOrderId": str(uuid.uuid4()),
        "orderNumber": number or "".join(chance.choices(string.ascii_lowercase + string.digits, k=10)),
        "orderDate": now,
        "lastModifiedDate": now,
        "orderLifecycleInformation": {"lifecycleChangeDate": now},
        "payment": {"paymentMethod": "INVOICE_SINGLE"},
        "deliveryAddress": {**person, "email": "buyer@example.org"},
        "invoiceAddress": {**person, "email": "b7c1@pseudonym.example"},
        "initialDeliveryFees": [
            {
                "name": "DELIVERY_FEE_STANDARD",
                "deliveryFeeAmount": _amount(4.90),
                "vatRate": 19,
                "positionItemIds": [item["positionItemId"] for item in items],
            }
        ],
        "initialDiscounts": [],
        "positionItems": items,
    }
    raw["links"] = [{"rel": "self", "href": f"/v4/orders/{raw['salesOrderId']}"}]
    for defect in defects:
        DEFECTS[defect](raw)
    return raw


def set_status(raw: Raw, status: str, old: Sequence[str] | None = None) -> None:
    """Give every item this status, or those with one of the old ones, and what OTTO adds to it."""
    for item in raw["positionItems"]:
        if old is not None and item["fulfillmentStatus"] not in old:
            continue
        item["fulfillmentStatus"] = status
        if status.startswith("CANCELLED"):
            item["cancellationDate"] = raw["orderLifecycleInformation"]["lifecycleChangeDate"]
            item["cancellationReason"] = "CANCELLED_ON_CUSTOMER_WISH"


def _item(product: Mapping[str, Any], now: str) -> Raw:
    return {
        "positionItemId": str(uuid.uuid4()),
        "fulfillmentStatus": "PROCESSABLE",
        "processableDate": now,
        "itemValueGrossPrice": _amount(float(product.get("price", "19.99"))),
        "product": {
            "sku": product["sku"],
            "articleNumber": str(product.get("articleNumber", product["sku"])),
            "productTitle": str(product.get("name", product["sku"])),
            "vatRate": 19,
        },
    }


def _amount(amount: float) -> Raw:
    return {"amount": amount, "currency": "EUR"}


def _address(chance: random.Random) -> Raw:
    zip_code, city = chance.choice(_PLACES)
    return {
        "salutation": "UNKNOWN",
        "firstName": chance.choice(_FIRST),
        "lastName": chance.choice(_LAST),
        "street": "Teststr.",
        "houseNumber": f"{chance.randint(1, 99)}a",
        "zipCode": zip_code,
        "city": city,
        "countryCode": "DEU",
    }


def _unknown_sku(raw: Raw) -> None:
    raw["positionItems"][0]["product"]["sku"] = random.choice(UNKNOWN_SKUS)  # noqa: S311 - example data


def _announced(raw: Raw) -> None:
    """OTTO hides the addresses until the buyer has paid."""
    set_status(raw, "ANNOUNCED")
    for item in raw["positionItems"]:
        item.pop("processableDate", None)
    raw.pop("deliveryAddress", None)
    raw.pop("invoiceAddress", None)


def _set(path: Sequence[str | int], value: Any) -> Callable[[Raw], None]:
    """A defect that replaces one value; None takes it away."""

    def mend(raw: Raw) -> None:
        holder: Any = raw
        for part in path[:-1]:
            holder = holder[part]
        if value is None:
            holder.pop(path[-1], None)
        else:
            holder[path[-1]] = value

    return mend


def _discount(raw: Raw) -> None:
    ids = [item["positionItemId"] for item in raw["positionItems"]]
    amount = {"discountAmount": _amount(5.0), "vatRate": 19, "positionItemIds": ids}
    raw["initialDiscounts"] = [{"discountId": "d-1", "discountName": "Willkommen", "name": "VOUCHER", **amount}]


DEFECTS: Mapping[str, Callable[[Raw], None]] = {
    "unknown-sku": _unknown_sku,
    "unmapped-payment": _set(("payment", "paymentMethod"), "PAYPAL"),
    "unmapped-shipping": _set(("initialDeliveryFees", 0, "name"), "DELIVERY_FEE_FREIGHT"),
    "unmapped-tax": _set(("positionItems", 0, "product", "vatRate"), 5.5),
    "missing-tax": _set(("positionItems", 0, "product", "vatRate"), None),
    "missing-payment": _set(("payment",), None),
    "missing-address": _set(("invoiceAddress",), None),
    "incomplete-address": _set(("invoiceAddress", "street"), None),
    "unreadable": _set(("positionItems", 0, "itemValueGrossPrice", "amount"), "n/a"),
    "discount": _discount,
    "announced": _announced,
    "cancelled": lambda raw: set_status(raw, "CANCELLED_BY_MARKETPLACE"),
}
"""What an order can have, by the name used on the control side."""
