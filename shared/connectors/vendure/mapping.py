"""Vendure's Order → the contract's. Pure: raw JSON in, `SourceOrder` out, the same out for the same in.

Data that is absent stays absent: the ERP stage names it, where a person can see the order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from shared.connectors.contract import SourceOrder
from shared.connectors.vendure.amounts import Discounts, decimal, money, rate, shipping_rate, unit_price, written
from shared.events.orders import Address, Customer, Line, Order, Payment, Shipping

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""When an order changed that does not say so: it must not move anybody's watermark."""

UNDER_WAY = frozenset(
    ("Created", "Draft", "AddingItems", "ArrangingPayment", "Modifying", "ArrangingAdditionalPayment")
)
"""States in which somebody still works on the order. What Vendure or a plug-in adds to them may be shipped."""

_ID = re.compile(r"id:([0-9]{1,18}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})")

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """How one shop's orders are read; see the settings of the same names."""

    precision: int = 2
    announced_payments: tuple[str, ...] = ()
    free_payment_method: str = "free"
    surcharge_sku: str = "SURCHARGE"


def marketplace_id(order_id: Any) -> str:
    """An order's id, told apart from the order numbers of shops that simply count."""
    return f"id:{order_id}"


def shop_id(key: str) -> str | None:
    """The shop's own id in a marketplace id; None for anything else, such as an order number."""
    found = _ID.fullmatch(key)
    return found[1] if found else None


def piece_ids(line_id: Any, quantity: int) -> tuple[str, ...]:
    """The pieces of an order line. Vendure ships and cancels numbers of pieces and gives none a name."""
    return tuple(f"{line_id}/{piece}" for piece in range(1, quantity + 1))


def in_order(raw: Any) -> list[Raw]:
    """Parts of an order by id. Vendure tells them in whatever order its database found them, now and then another one,
    and an order whose lines have changed places has not changed."""
    return sorted(_mappings(raw), key=lambda each: (len(str(each.get("id"))), str(each.get("id"))))


def source_order(raw: Any, reading: Reading | None = None) -> SourceOrder:
    """One order as the shop shows it. Never raises.

    A value that the contract does not allow stays in the order as it came, unchecked: intake turns such an event into a
    rejection that names the value. So one odd order neither gets lost nor holds up the others of its page.
    """
    reading = reading or Reading()
    raw = _mapping(raw)
    changed = changed_at(raw)
    cancelled = raw.get("state") == "Cancelled"
    discounts = Discounts(reading.precision)
    lines = _lines(raw, discounts, cancelled, reading)
    shipping = _shipping(raw, discounts, reading.precision)
    billing, delivery = _mapping(raw.get("billingAddress")), _mapping(raw.get("shippingAddress"))
    order = Order.model_construct(
        number=_text(raw.get("code")),
        marketplace_id=marketplace_id(_text(raw.get("id"))),
        status=status_of(raw, reading.announced_payments),
        changed_at=changed,
        ordered_at=_time(raw.get("orderPlacedAt")),
        currency=_text(raw.get("currencyCode")),
        customer=_customer(_mapping(raw.get("customer")), billing, delivery),
        # Vendure leaves the billing address empty where the buyer asks for no other.
        billing_address=_address(billing) or _address(delivery),
        shipping_address=_address(delivery),
        lines=lines,
        shipping=shipping,
        discounts=() if cancelled else discounts.told(),
        payment=_payment(raw, reading.free_payment_method),
        total=_total(raw, lines, shipping, cancelled, reading.precision),
    )
    with suppress(ValidationError):
        order = Order.model_validate(order.model_dump(warnings=False))
    return SourceOrder(order, changed or NEVER)


def status_of(raw: Raw, announced_payments: Sequence[str] = ()) -> Any:
    """The contract's status of an order. Whether a parcel left is a matter of its units."""
    state = _text(raw.get("state"))
    if state == "Cancelled":
        return "cancelled"
    waits = state == "PaymentAuthorized" and any(
        payment.get("method") in announced_payments and payment.get("state") == "Authorized"
        for payment in in_order(raw.get("payments"))
    )
    return "announced" if waits or state in UNDER_WAY else "open"


def changed_at(raw: Raw) -> datetime | None:
    """The last change. `updatedAt` does not follow changes of the state; the history does.

    Both are times of the shop's database. When an order was placed its server says, whose time zone may be another, so
    that counts only where there is no history.
    """
    entries = _mappings(_mapping(raw.get("history")).get("items"))
    told = [
        raw.get("updatedAt"),
        *(entry.get("createdAt") for entry in entries or [{"createdAt": raw.get("orderPlacedAt")}]),
    ]
    return max((moment for each in told if (moment := _time(each))), default=None)


def _lines(raw: Raw, discounts: Discounts, cancelled: bool, reading: Reading) -> tuple[Line, ...]:
    """What is still wanted. A cancelled order keeps its lines as they were placed."""
    lines = []
    for held in in_order(raw.get("lines")):
        given = held.get("orderPlacedQuantity" if cancelled else "quantity")
        if given == 0:
            continue  # cancelled, or taken out of the order
        quantity = _count(given)
        variant, tax = _mapping(held.get("productVariant")), rate(held.get("taxRate"))
        if not cancelled:
            discounts.add(
                held.get("linePriceWithTax"), held.get("proratedLinePriceWithTax"), held.get("discounts"), tax
            )
        lines.append(
            Line.model_construct(
                id=_text(held.get("id")),
                sku=_text(variant.get("sku")),
                title=_text(variant.get("name")),
                quantity=quantity,
                unit_price=unit_price(held, quantity, reading.precision),
                tax_rate=tax,
                marketplace_ids=piece_ids(_text(held.get("id")), quantity),
            )
        )
    for held in in_order(raw.get("surcharges")):
        price, tax = held.get("priceWithTax"), rate(held.get("taxRate"))
        if (decimal(price) or 0) < 0:
            discounts.taken(held.get("description"), price, tax)
        elif decimal(price) != 0:
            lines.append(
                Line.model_construct(
                    id=f"surcharge:{_text(held.get('id'))}",
                    sku=_text(held.get("sku")) or reading.surcharge_sku,
                    title=_text(held.get("description")),
                    quantity=1,
                    unit_price=money(price, reading.precision),
                    tax_rate=tax,
                )
            )
    return tuple(lines)


def _shipping(raw: Raw, discounts: Discounts, precision: int) -> Shipping | None:
    """The deliveries as one, with the first one's method, at the highest of their rates."""
    held = in_order(raw.get("shippingLines"))
    if not held:
        return None
    known = [each.get("taxRate") for each in _mappings(raw.get("taxSummary"))]
    total, rates, odd = Decimal(0), [], None
    for each in held:
        tax = shipping_rate(each.get("price"), each.get("priceWithTax"), known)
        discounts.add(each.get("priceWithTax"), each.get("discountedPriceWithTax"), each.get("discounts"), tax)
        amount = decimal(each.get("priceWithTax"))
        odd = money(each.get("priceWithTax"), precision) if amount is None else odd
        total += amount or 0
        rates += [tax] if tax else []
    return Shipping.model_construct(
        method=_text(_mapping(held[0].get("shippingMethod")).get("code")),
        price=money(total, precision) if odd is None else odd,
        tax_rate=max(rates, key=lambda each: decimal(each) or 0, default=None),
    )


def _total(raw: Raw, lines: Sequence[Line], shipping: Shipping | None, cancelled: bool, precision: int) -> str:
    """What the buyer pays. Of a cancelled order Vendure takes it away, so it is counted from what was ordered."""
    if not cancelled:
        return money(raw.get("totalWithTax"), precision)
    prices = [(decimal(line.unit_price) or Decimal(0)) * line.quantity for line in lines]
    return written(sum(prices, decimal(shipping.price if shipping else 0) or Decimal(0)))


def _payment(raw: Raw, free: str) -> Payment | None:
    """The largest payment that holds; orders that cost nothing have none."""
    held = [each for each in in_order(raw.get("payments")) if each.get("state") in ("Settled", "Authorized")]
    if not held:
        return Payment(method=free) if free and decimal(raw.get("totalWithTax")) == 0 else None
    first = max(held, key=lambda each: decimal(each.get("amount")) or 0)
    method = _text(first.get("method"))
    return Payment(method=method, reference=_part(first, "transactionId")) if method else None


def _address(raw: Raw) -> Address | None:
    if not any(_part(raw, name) for name in ("fullName", "company", "streetLine1", "city", "postalCode")):
        return None
    return Address.model_construct(
        name=_part(raw, "fullName") or _part(raw, "company"),
        street=_part(raw, "streetLine1"),
        house_number=None,
        addition=_part(raw, "streetLine2"),
        zip_code=_part(raw, "postalCode"),
        city=_part(raw, "city"),
        country=(_part(raw, "countryCode") or "").upper() or None,
    )


def _customer(raw: Raw, billing: Raw, delivery: Raw) -> Customer | None:
    if not raw and not billing and not delivery:
        return None
    return Customer(
        email=_part(raw, "emailAddress"),
        first_name=_part(raw, "firstName"),
        last_name=_part(raw, "lastName"),
        company=_part(billing, "company") or _part(delivery, "company"),
        phone=_part(delivery, "phoneNumber") or _part(billing, "phoneNumber") or _part(raw, "phoneNumber"),
    )


def _count(value: Any) -> int:
    """A number of pieces; 0, which the contract refuses, for what is none."""
    able = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 1_000_000
    return int(value) if able else 0


def _time(value: Any) -> Any:
    """A moment, or None where there is none."""
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:1000]


def _part(raw: Raw, name: str) -> str | None:
    return _text(raw.get(name)) or None


def _mapping(value: Any) -> Raw:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: Any) -> list[Raw]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
