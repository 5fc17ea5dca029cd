"""Invents orders for the stand-in of Shopify: good ones, and ones with the faults a shop really has."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

Raw = dict[str, Any]
UNKNOWN_SKUS = tuple(f"NEW-0815-{number}" for number in range(1, 6))
"""The shop lists them, the ERP does not know them."""

HOME, ANNEX = "gid://shopify/Location/7001", "gid://shopify/Location/7002"
RATE, CENT = Decimal(19), Decimal("0.01")

_FIRST = ("Erika", "Max", "Anna", "Jörg", "Sofia", "Zoë")
_LAST = ("Muster", "Mustermann", "Beispiel", "Probe")
_PLACES = (("22179", "Hamburg"), ("10115", "Berlin"), ("50667", "Köln"), ("80331", "München"), ("01067", "Dresden"))


def order(
    products: Sequence[Mapping[str, Any]], now: str, name: str | None, seq: int, defects: Sequence[str], units: int
) -> Raw:
    """One order with `units` pieces over `products`, with every defect that is named."""
    chance = random.Random()  # noqa: S311 - example data
    number = 5_000_000_000_000 + seq
    person = _address(chance)
    counts: dict[str, int] = {}
    for unit in range(units):
        sku = str(products[unit % len(products)]["sku"])
        counts[sku] = counts.get(sku, 0) + 1
    listed = {str(product["sku"]): product for product in products}
    lines = [_line(number, place, listed[sku], count) for place, (sku, count) in enumerate(counts.items())]
    shipping = {"title": "Standardversand", "discountedPriceSet": bag("4.90"), "taxLines": [_tax(Decimal("4.90"))]}
    raw: Raw = {
        "id": f"gid://shopify/Order/{number}",
        "name": name or f"#{1000 + seq}",
        "createdAt": now,
        "processedAt": now,
        "updatedAt": now,
        "cancelledAt": None,
        "displayFinancialStatus": "PAID",
        "displayFulfillmentStatus": "UNFULFILLED",
        "returnStatus": "NO_RETURN",
        "taxesIncluded": True,
        "taxExempt": False,
        "paymentGatewayNames": ["shopify_payments"],
        "email": "buyer@example.org",
        "phone": None,
        "customer": {"firstName": person["name"].split()[0], "lastName": person["name"].split()[1]},
        "billingAddress": dict(person),
        "shippingAddress": dict(person),
        "shippingLines": [shipping],
        "lineItems": lines,
        "fulfillmentOrders": [_work(number, 0, HOME, lines)],
        "fulfillments": [],
    }
    for defect in defects:
        DEFECTS[defect](raw)
    sum_up(raw)
    return raw


def bag(amount: Any, shop: Any = None) -> Raw:
    """A MoneyBag; `shop` where the buyer pays in another currency than the shop's."""
    paid = {"amount": str(amount), "currencyCode": "EUR" if shop is None else "CHF"}
    return {
        "presentmentMoney": paid,
        "shopMoney": {"amount": str(amount if shop is None else shop), "currencyCode": "EUR"},
    }


def sum_up(raw: Raw) -> None:
    """The order's totals, as far as its parts are numbers."""
    for name, count in (("totalPriceSet", "quantity"), ("currentTotalPriceSet", "currentQuantity")):
        raw[name] = {
            kind: {"amount": str(_sum(raw, kind, count).quantize(CENT)), "currencyCode": currency}
            for kind, currency in _currencies(raw).items()
        }


def _currencies(raw: Raw) -> dict[str, str]:
    some = raw["lineItems"][0]["originalUnitPriceSet"]
    return {kind: money["currencyCode"] for kind, money in some.items()}


def _sum(raw: Raw, kind: str, count: str) -> Decimal:
    total = Decimal(0)
    for line in raw["lineItems"]:
        with suppress(ArithmeticError):
            each = Decimal(line["originalUnitPriceSet"][kind]["amount"]) * line[count]
            off = sum(Decimal(part["allocatedAmountSet"][kind]["amount"]) for part in line["discountAllocations"])
            total += each + (_added(raw, line, kind) - off) * line[count] / line["quantity"]
    for line in raw["shippingLines"]:
        total += Decimal(line["discountedPriceSet"][kind]["amount"]) + _added(raw, line, kind)
    return total


def _added(raw: Raw, line: Raw, kind: str) -> Decimal:
    """The tax that comes on top of the price."""
    if raw["taxesIncluded"]:
        return Decimal(0)
    return sum((Decimal(each["priceSet"][kind]["amount"]) for each in line["taxLines"]), Decimal(0))


def _line(order: int, place: int, product: Mapping[str, Any], count: int) -> Raw:
    price = Decimal(str(product.get("price", "19.99")))
    return {
        "id": f"gid://shopify/LineItem/{order}{place:03}",
        "sku": str(product["sku"]),
        "name": str(product.get("name", product["sku"])),
        "quantity": count,
        "currentQuantity": count,
        "taxable": True,
        "originalUnitPriceSet": bag(price),
        "taxLines": [_tax(price * count)],
        "discountAllocations": [],
    }


def _tax(gross: Decimal) -> Raw:
    part = (gross * RATE / (100 + RATE)).quantize(CENT)
    return {"ratePercentage": float(RATE), "priceSet": bag(part)}


def _work(order: int, place: int, location: str, lines: Sequence[Raw]) -> Raw:
    return {
        "id": f"gid://shopify/FulfillmentOrder/{order}{place}",
        "status": "OPEN",
        "assignedLocation": {"location": {"id": location}},
        "lineItems": [
            {
                "id": f"gid://shopify/FulfillmentOrderLineItem/{str(line['id']).rpartition('/')[2]}{place}",
                "remainingQuantity": line["quantity"],
                "lineItem": {"id": line["id"]},
            }
            for line in lines
        ],
    }


def _address(chance: random.Random) -> Raw:
    zip_code, city = chance.choice(_PLACES)
    return {
        "name": f"{chance.choice(_FIRST)} {chance.choice(_LAST)}",
        "company": None,
        "address1": f"Teststr. {chance.randint(1, 99)}a",
        "address2": None,
        "zip": zip_code,
        "city": city,
        "countryCodeV2": "DE",
        "phone": None,
    }


def _set(path: Sequence[str | int], value: Any) -> Callable[[Raw], None]:
    """A defect that replaces one value."""

    def mend(raw: Raw) -> None:
        holder: Any = raw
        for part in path[:-1]:
            holder = holder[part]
        holder[path[-1]] = value

    return mend


def _unknown_sku(raw: Raw) -> None:
    raw["lineItems"][0]["sku"] = random.choice(UNKNOWN_SKUS)  # noqa: S311 - example data


def _discount(raw: Raw) -> None:
    """Five euros off with a code, spread over the lines."""
    left = Decimal(5)
    for place, line in enumerate(raw["lineItems"]):
        share = left if place == len(raw["lineItems"]) - 1 else Decimal("1.25")
        left -= share
        said = {"__typename": "DiscountCodeApplication", "code": "WILLKOMMEN"}
        line["discountAllocations"] = [{"allocatedAmountSet": bag(share), "discountApplication": said}]
        price = Decimal(line["originalUnitPriceSet"]["presentmentMoney"]["amount"])
        line["taxLines"] = [_tax(price * line["quantity"] - share)]


def _net(raw: Raw) -> None:
    """Prices without tax, as shops for companies have them."""
    raw["taxesIncluded"] = False
    for line in raw["lineItems"]:
        price = Decimal(line["originalUnitPriceSet"]["shopMoney"]["amount"])
        off = sum(Decimal(each["allocatedAmountSet"]["shopMoney"]["amount"]) for each in line["discountAllocations"])
        tax = ((price * line["quantity"] - off) * RATE / 100).quantize(CENT)
        line["taxLines"] = [{"ratePercentage": float(RATE), "priceSet": bag(tax)}]
    for line in raw["shippingLines"]:
        line["taxLines"] = [{"ratePercentage": float(RATE), "priceSet": bag("0.93")}]


def _foreign(raw: Raw) -> None:
    """The buyer pays in francs; the shop counts in euros."""
    for line in raw["lineItems"]:
        line["originalUnitPriceSet"] = bag("20.00", shop="21.34")
    for line in raw["shippingLines"]:
        line["discountedPriceSet"] = bag("9.00", shop="9.60")


def _two_places(raw: Raw) -> None:
    """Every line is assigned to a location of its own, as far as there are two."""
    number = int(str(raw["id"]).rpartition("/")[2])
    lines = raw["lineItems"]
    works = [_work(number, 0, HOME, lines[::2]), _work(number, 1, ANNEX, lines[1::2])]
    raw["fulfillmentOrders"] = [work for work in works if work["lineItems"]]


def _cancelled(raw: Raw) -> None:
    raw["cancelledAt"] = raw["updatedAt"]
    for line in raw["lineItems"]:
        line["currentQuantity"] = 0
    raw["fulfillmentOrders"] = []


def _removed(raw: Raw) -> None:
    """The first line was taken out of the order again."""
    line = raw["lineItems"][0]
    line["currentQuantity"] = 0
    for item in raw["fulfillmentOrders"][0]["lineItems"]:
        if item["lineItem"]["id"] == line["id"]:
            item["remainingQuantity"] = 0


def _sold_in_store(raw: Raw) -> None:
    raw["displayFulfillmentStatus"] = "FULFILLED"
    raw["fulfillmentOrders"] = []


DEFECTS: Mapping[str, Callable[[Raw], None]] = {
    "unknown-sku": _unknown_sku,
    "unmapped-payment": _set(("paymentGatewayNames",), ["paypal"]),
    "unmapped-shipping": _set(("shippingLines", 0, "title"), "Spedition"),
    "unmapped-tax": _set(("lineItems", 0, "taxLines", 0, "ratePercentage"), 5.5),
    "missing-tax": _set(("lineItems", 0, "taxLines"), []),
    "missing-payment": _set(("paymentGatewayNames",), []),
    "missing-address": _set(("billingAddress",), None),
    "incomplete-address": _set(("billingAddress", "address1"), None),
    "unreadable": _set(("lineItems", 0, "originalUnitPriceSet", "presentmentMoney", "amount"), "n/a"),
    "discount": _discount,
    "announced": _set(("displayFinancialStatus",), "PENDING"),
    "cancelled": _cancelled,
    "without-tax": _net,
    "foreign-currency": _foreign,
    "two-places": _two_places,
    "on-hold": _set(("fulfillmentOrders", 0, "status"), "ON_HOLD"),
    "without-sku": _set(("lineItems", 0, "sku"), None),
    "removed-line": _removed,
    "sold-in-store": _sold_in_store,
}
"""What an order can have, by the name used on the control side."""
