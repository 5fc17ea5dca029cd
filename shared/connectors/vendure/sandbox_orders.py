"""Invents orders for the stand-in of Vendure: good ones, and ones with the faults a shop really has."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.connectors.vendure.sandbox_store import stamp

Raw = dict[str, Any]
UNKNOWN_SKUS = tuple(f"NEW-0815-{number}" for number in range(1, 6))
"""The shop sells them, the ERP does not know them."""

_FIRST = ("Erika", "Max", "Anna", "Jörg", "Sofia", "Zoë")
_LAST = ("Muster", "Mustermann", "Beispiel", "Probe")
_PLACES = (("22179", "Hamburg"), ("10115", "Berlin"), ("50667", "Köln"), ("80331", "München"), ("01067", "Dresden"))


def order(variants: Sequence[Raw], ago: float, number: str | None, defects: Sequence[str], units: int) -> Raw:
    """One placed order of `units` pieces over the variants, with every defect that is named; it has no id yet."""
    chance = random.Random()  # noqa: S311 - example data
    counts = [len(range(place, units, len(variants))) for place in range(len(variants))]
    lines = [
        _line(place, variant, count)
        for place, (variant, count) in enumerate(zip(variants, counts, strict=True))
        if count
    ]
    address = _address(chance)
    first, last = address["fullName"].split()
    placed = stamp(ago)
    raw: Raw = {
        "code": number or "".join(chance.choices(string.ascii_uppercase + string.digits, k=16)),
        "type": "Regular",
        # The cart was changed last before it was placed, and stays so whatever becomes of the order.
        "createdAt": stamp(ago + 90),
        "updatedAt": stamp(ago + 1),
        "orderPlacedAt": placed,
        "state": "PaymentSettled",
        "currencyCode": "EUR",
        "customer": {
            "title": None,
            "firstName": first,
            "lastName": last,
            "emailAddress": "buyer@example.org",
            "phoneNumber": None,
        },
        "billingAddress": _no_address(),
        "shippingAddress": address,
        "lines": lines,
        "surcharges": [],
        "shippingLines": [
            {
                "price": 412,
                "priceWithTax": 490,
                "discountedPriceWithTax": 490,
                "discounts": [],
                "shippingMethod": {"code": "standard-shipping"},
            }
        ],
        "payments": [{"method": "invoice", "state": "Settled", "amount": 0, "transactionId": f"T-{chance.random()}"}],
        "taxSummary": [{"taxRate": 19}],
        "history": [],
        "totalWithTax": 0,
    }
    transition(raw, "PaymentSettled", placed)
    for defect in defects:
        DEFECTS[defect](raw)
    add_up(raw)
    raw["payments"] = [{**payment, "amount": raw["totalWithTax"]} for payment in raw["payments"]]
    return raw


def transition(raw: Raw, state: str, when: str | None = None) -> None:
    """Another state: the history knows, `updatedAt` does not."""
    note(raw, "ORDER_STATE_TRANSITION", when)
    raw["state"] = state


def note(raw: Raw, kind: str, when: str | None = None) -> None:
    """One more entry of the history."""
    raw["history"].append({"type": kind, "createdAt": when or stamp()})


def add_up(raw: Raw) -> None:
    """The total, as the shop counts it."""
    goods = [line["proratedLinePriceWithTax"] for line in raw["lines"]]
    fees = [line["discountedPriceWithTax"] for line in raw["shippingLines"]]
    more = [each["priceWithTax"] for each in raw["surcharges"]]
    raw["totalWithTax"] = sum(goods) + sum(fees) + sum(more)


def price_line(line: Raw) -> None:
    """What the pieces cost that are left of a line, without discounts."""
    unit = line["unitPriceWithTax"]
    whole = unit * line["quantity"] if isinstance(unit, int) else 0
    line["linePriceWithTax"] = line["proratedLinePriceWithTax"] = whole


def _line(place: int, variant: Raw, count: int) -> Raw:
    line = {
        "id": str(place + 1),  # made unique when the order gets its id
        "quantity": count,
        "orderPlacedQuantity": count,
        "unitPriceWithTax": round(float(variant["price"]) * 100),
        "taxRate": 19,
        "discounts": [],
        "productVariant": {"sku": variant["sku"], "name": variant["name"]},
    }
    price_line(line)
    return line


def _address(chance: random.Random) -> Raw:
    zip_code, city = chance.choice(_PLACES)
    return {
        "fullName": f"{chance.choice(_FIRST)} {chance.choice(_LAST)}",
        "company": None,
        "streetLine1": f"Teststr. {chance.randint(1, 99)}a",
        "streetLine2": None,
        "city": city,
        "postalCode": zip_code,
        "countryCode": "DE",
        "phoneNumber": None,
    }


def _no_address() -> Raw:
    """As the real one shows an address that the buyer left out."""
    return dict.fromkeys(_address(random.Random(0)))  # noqa: S311 - example data


def _announced(raw: Raw) -> None:
    """Paid by bank transfer, and the money is not there yet."""
    raw["payments"] = [{**raw["payments"][0], "method": "bank-transfer", "state": "Authorized"}]
    transition(raw, "PaymentAuthorized", raw["orderPlacedAt"])


def _cancelled(raw: Raw) -> None:
    for line in raw["lines"]:
        line["quantity"] = 0
        price_line(line)
    transition(raw, "Cancelled", raw["orderPlacedAt"])


def _discount(raw: Raw) -> None:
    for line in raw["lines"]:
        cut = min(500, line["linePriceWithTax"])
        line["proratedLinePriceWithTax"] -= cut
        line["discounts"] = [{"description": "Willkommen", "amountWithTax": -cut}]


def _set(path: Sequence[str | int], value: Any) -> Callable[[Raw], None]:
    """A defect that replaces one value."""

    def mend(raw: Raw) -> None:
        holder: Any = raw
        for part in path[:-1]:
            holder = holder[part]
        holder[path[-1]] = value

    return mend


def _unknown_sku(raw: Raw) -> None:
    raw["lines"][0]["productVariant"]["sku"] = random.choice(UNKNOWN_SKUS)  # noqa: S311 - example data


DEFECTS: Mapping[str, Callable[[Raw], None]] = {
    "unknown-sku": _unknown_sku,
    "unmapped-payment": _set(("payments", 0, "method"), "paypal"),
    "unmapped-shipping": _set(("shippingLines", 0, "shippingMethod"), {"code": "freight"}),
    "unmapped-tax": _set(("lines", 0, "taxRate"), 5.5),
    "missing-tax": _set(("lines", 0, "taxRate"), None),
    "missing-payment": _set(("payments",), []),
    "missing-address": _set(("shippingAddress",), None),
    "incomplete-address": _set(("shippingAddress", "streetLine1"), None),
    "unreadable": _set(("lines", 0, "unitPriceWithTax"), "n/a"),
    "discount": _discount,
    "announced": _announced,
    "cancelled": _cancelled,
}
"""What an order can have, by the name used on the control side."""
