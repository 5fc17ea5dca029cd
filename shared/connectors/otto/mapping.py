"""OTTO's PartnerOrder → the contract's Order. Pure: raw JSON in, `SourceOrder` out, the same out for the same in.

OTTO sends one position item per unit; equal ones become one line, which keeps the item ids. Data that is absent stays
absent: the ERP stage names it, where a person can see the order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import ValidationError

from shared.connectors.contract import SourceOrder
from shared.connectors.otto.countries import alpha_2
from shared.events.orders import Address, Customer, Discount, Line, Order, Payment, Shipping

CANCELLED = ("CANCELLED_BY_PARTNER", "CANCELLED_BY_MARKETPLACE")
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""When an order changed that does not say so: it must not move anybody's watermark."""

Raw = Mapping[str, Any]


def source_order(raw: Any, free_shipping_method: str = "DELIVERY_FEE_STANDARD") -> SourceOrder:
    """One order as the marketplace shows it. Never raises.

    A value that the contract does not allow stays in the order as it came, unchecked: intake turns such an event into a
    rejection that names the value. So one odd order neither gets lost nor holds up the others of its page.
    """
    raw = _mapping(raw)
    everything = sorted(_mappings(raw.get("positionItems")), key=lambda item: _text(item.get("positionItemId")))
    alive = [item for item in everything if item.get("fulfillmentStatus") not in CANCELLED]
    items = alive or everything
    kept = {_text(item.get("positionItemId")) for item in items}
    shipping = _shipping(_concerning(raw.get("initialDeliveryFees"), kept), free_shipping_method)
    discounts = tuple(_discount(each) for each in _concerning(raw.get("initialDiscounts"), kept))
    lines = _lines(items)
    changed_at = _changed_at(raw)
    invoice, delivery = _mapping(raw.get("invoiceAddress")), _mapping(raw.get("deliveryAddress"))
    order = Order.model_construct(
        number=_text(raw.get("orderNumber")),
        marketplace_id=_text(raw.get("salesOrderId")),
        status=_status(alive),
        changed_at=changed_at,
        ordered_at=_time(raw.get("orderDate")),
        currency=_text(_mapping(items[0].get("itemValueGrossPrice")).get("currency")) if items else "",
        customer=_customer(invoice, delivery),
        billing_address=_address(invoice),
        shipping_address=_address(delivery),
        lines=lines,
        shipping=shipping,
        discounts=discounts,
        payment=_payment(raw.get("payment")),
        total=_total(lines, shipping, discounts),
        ship_by=_expected(items),
    )
    with suppress(ValidationError):
        order = Order.model_validate(order.model_dump(warnings=False))
    return SourceOrder(order, changed_at or NEVER)


def money(value: Any) -> str:
    """An amount as the contract writes it: 19.95 → "19.95"; two decimals, or four. What is no number stays as it is."""
    amount = _decimal(value)
    if amount is None:
        return _text(value)
    cents = amount.quantize(Decimal("0.01"))
    return str(cents if cents == amount else amount.quantize(Decimal("0.0001")))


def rate(value: Any) -> str | None:
    """A tax rate as the contract writes it: 19 → "19.0"; None stays None, and what is no number as it is."""
    if value is None:
        return None
    number = _decimal(value)
    if number is None:
        return _text(value)
    text = f"{number:.4f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


def _decimal(value: Any) -> Decimal | None:
    """A number of a size that money and rates have."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < 10**12 else None


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:1000]


def _mapping(value: Any) -> Raw:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: Any) -> list[Raw]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _status(alive: Sequence[Raw]) -> Any:
    """OTTO knows a status per item only. One announced item holds back the whole order, as in OTTO's own lists."""
    if not alive:
        return "cancelled"
    return "announced" if any(item.get("fulfillmentStatus") == "ANNOUNCED" for item in alive) else "open"


def _lines(items: Iterable[Raw]) -> tuple[Line, ...]:
    """Units of the same SKU, price and tax as one line. Sorted by item id, because OTTO promises no order."""
    groups: dict[tuple[str, str, str | None], list[Raw]] = {}
    for item in items:
        product = _mapping(item.get("product"))
        price = money(_mapping(item.get("itemValueGrossPrice")).get("amount"))
        groups.setdefault((_text(product.get("sku")), price, rate(product.get("vatRate"))), []).append(item)
    return tuple(
        Line.model_construct(
            id=_text(units[0].get("positionItemId")),
            sku=sku,
            title=_text(_mapping(units[0].get("product")).get("productTitle")),
            quantity=len(units),
            unit_price=price,
            tax_rate=tax,
            marketplace_ids=tuple(_text(unit.get("positionItemId")) for unit in units),
        )
        for (sku, price, tax), units in groups.items()
    )


def _concerning(entries: Any, kept: set[str]) -> list[Raw]:
    """Fees and discounts that still concern an item; those of cancelled items alone went with them."""
    found = []
    for entry in _mappings(entries):
        ids = entry.get("positionItemIds")
        if not isinstance(ids, list) or not ids or kept.intersection(map(_text, ids)):
            found.append(entry)
    return found


def _shipping(fees: Sequence[Raw], free_method: str) -> Shipping:
    """The fees as one, at the highest of their rates, as OTTO itself does with the rates of a fee."""
    if not fees:
        return Shipping(method=free_method, price="0.00")
    prices = [money(_mapping(fee.get("deliveryFeeAmount")).get("amount")) for fee in fees]
    rates = [fee.get("vatRate") for fee in fees if fee.get("vatRate") is not None]
    return Shipping.model_construct(
        method=_text(fees[0].get("name")),
        price=_sum(prices),
        tax_rate=rate(max(rates, key=lambda each: _decimal(each) or 0, default=None)),
    )


def _discount(raw: Raw) -> Discount:
    return Discount.model_construct(
        title=_text(raw.get("discountName") or raw.get("name")),
        amount=money(_mapping(raw.get("discountAmount")).get("amount")).removeprefix("-"),
        tax_rate=rate(raw.get("vatRate")),
    )


def _sum(amounts: Iterable[str]) -> str:
    """The sum; an amount that is no number makes it that text, which the contract refuses in its turn."""
    total = Decimal(0)
    for amount in amounts:
        number = _decimal(amount)
        if number is None:
            return amount
        total += number
    return money(total)


def _total(lines: Sequence[Line], shipping: Shipping, discounts: Sequence[Discount]) -> str:
    """OTTO names no total."""
    goods = [line.unit_price for line in lines for _ in range(line.quantity)]
    return _sum([*goods, shipping.price, *(f"-{each.amount}" for each in discounts)])


def _changed_at(raw: Raw) -> datetime | None:
    lifecycle = _mapping(raw.get("orderLifecycleInformation"))
    times = (lifecycle.get("lifecycleChangeDate"), raw.get("lastModifiedDate"), raw.get("orderDate"))
    return next((moment for moment in map(_time, times) if moment), None)


def _expected(items: Iterable[Raw]) -> datetime | None:
    """OTTO names no shipping deadline, only when the buyer expects the parcel: the latest that makes sense."""
    times = [_time(item.get("expectedDeliveryDate")) for item in items]
    return min((moment for moment in times if moment), default=None)


def _time(value: Any) -> Any:
    """A moment, or None where there is none."""
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None


def _payment(raw: Any) -> Payment | None:
    method = _text(_mapping(raw).get("paymentMethod"))
    return Payment(method=method) if method else None


def _part(raw: Raw, name: str) -> str | None:
    return _text(raw.get(name)) or None


def _name(raw: Raw) -> str | None:
    parts = (_part(raw, "title"), _part(raw, "firstName"), _part(raw, "lastName"))
    return " ".join(part for part in parts if part) or None


def _address(raw: Raw) -> Address | None:
    if not raw:
        return None
    return Address(
        name=_name(raw),
        street=_part(raw, "street"),
        house_number=_part(raw, "houseNumber"),
        addition=_part(raw, "addition"),
        zip_code=_part(raw, "zipCode"),
        city=_part(raw, "city"),
        country=alpha_2(_part(raw, "countryCode")),
    )


def _customer(invoice: Raw, delivery: Raw) -> Customer | None:
    """Who bought. The delivery address holds the plain e-mail address, the invoice address a pseudonym."""
    buyer = invoice or delivery
    if not buyer:
        return None
    goods = delivery or buyer
    return Customer(
        email=_part(goods, "email") or _part(buyer, "email"),
        first_name=_part(buyer, "firstName"),
        last_name=_part(buyer, "lastName"),
        company=_name(buyer) if buyer.get("salutation") == "COMPANY" else None,
        phone=_part(goods, "phoneNumber") or _part(buyer, "phoneNumber"),
    )
