"""OTTO's PartnerOrder → the contract's Order. Pure: raw JSON in, `SourceOrder` out, the same out for the same in.

OTTO sends one position item per unit; equal ones become one line, which keeps the item ids. Data that is absent stays
absent: the ERP stage names it, where a person can see the order. Only an order that is no order at all is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from shared.connectors.contract import SourceOrder
from shared.connectors.otto.countries import alpha_2
from shared.events.orders import Address, Customer, Discount, Line, Order, Payment, Shipping

CANCELLED = ("CANCELLED_BY_PARTNER", "CANCELLED_BY_MARKETPLACE")
Raw = Mapping[str, Any]


def source_order(raw: Raw, free_shipping_method: str = "DELIVERY_FEE_STANDARD") -> SourceOrder:
    """One order as the marketplace shows it. Raises ValueError (KeyError, TypeError) when it cannot be read."""
    everything = sorted(raw["positionItems"], key=lambda item: str(item["positionItemId"]))
    alive = [item for item in everything if item["fulfillmentStatus"] not in CANCELLED]
    items = alive or everything
    kept = {str(item["positionItemId"]) for item in items}
    shipping = _shipping(_concerning(raw.get("initialDeliveryFees"), kept), free_shipping_method)
    discounts = tuple(_discount(each) for each in _concerning(raw.get("initialDiscounts"), kept))
    lines = _lines(items)
    changed_at = _changed_at(raw)
    invoice, delivery = raw.get("invoiceAddress"), raw.get("deliveryAddress")
    order = Order(
        number=raw["orderNumber"],
        marketplace_id=raw["salesOrderId"],
        status=_status(alive),
        changed_at=changed_at,
        ordered_at=_time(raw["orderDate"]),
        currency=items[0]["itemValueGrossPrice"]["currency"],
        customer=_customer(invoice, delivery),
        billing_address=_address(invoice),
        shipping_address=_address(delivery),
        lines=lines,
        shipping=shipping,
        discounts=discounts,
        payment=_payment(raw.get("payment")),
        total=money(_total(lines, shipping, discounts)),
        ship_by=_expected(items),
    )
    return SourceOrder(order, changed_at)


def money(value: Any) -> str:
    """An amount as the contract writes it: 19.95 → "19.95"; at least two decimals, at most four."""
    try:
        amount = Decimal(str(value))
        cents = amount.quantize(Decimal("0.01"))
        return str(cents if cents == amount else amount.quantize(Decimal("0.0001")))
    except InvalidOperation:
        raise ValueError("an amount is not a number") from None


def rate(value: Any) -> str | None:
    """A tax rate as the contract writes it: 19 → "19.0"; None stays None."""
    if value is None:
        return None
    try:
        text = f"{Decimal(str(value)):.4f}".rstrip("0")
    except InvalidOperation:
        raise ValueError("a tax rate is not a number") from None
    return text + "0" if text.endswith(".") else text


def _status(alive: Sequence[Raw]) -> Any:
    """OTTO knows a status per item only. One announced item holds back the whole order, as in OTTO's own lists."""
    if not alive:
        return "cancelled"
    return "announced" if any(item["fulfillmentStatus"] == "ANNOUNCED" for item in alive) else "open"


def _lines(items: Iterable[Raw]) -> tuple[Line, ...]:
    """Units of the same SKU, price and tax as one line. Sorted by item id, because OTTO promises no order."""
    groups: dict[tuple[str, str, str | None], list[Raw]] = {}
    for item in items:
        product = item["product"]
        key = (product["sku"], money(item["itemValueGrossPrice"]["amount"]), rate(product.get("vatRate")))
        groups.setdefault(key, []).append(item)
    return tuple(
        Line(
            id=units[0]["positionItemId"],
            sku=sku,
            title=units[0]["product"].get("productTitle") or "",
            quantity=len(units),
            unit_price=price,
            tax_rate=tax,
            marketplace_ids=tuple(unit["positionItemId"] for unit in units),
        )
        for (sku, price, tax), units in groups.items()
    )


def _concerning(entries: Sequence[Raw] | None, kept: set[str]) -> list[Raw]:
    """Fees and discounts that still concern an item; those of cancelled items alone went with them."""
    return [
        entry
        for entry in entries or ()
        if not entry.get("positionItemIds") or kept.intersection(map(str, entry["positionItemIds"]))
    ]


def _shipping(fees: Sequence[Raw], free_method: str) -> Shipping:
    if not fees:
        return Shipping(method=free_method, price="0.00")
    rates = [Decimal(found) for fee in fees if (found := rate(fee.get("vatRate")))]
    return Shipping(
        method=fees[0]["name"],
        price=money(sum((Decimal(money(fee["deliveryFeeAmount"]["amount"])) for fee in fees), Decimal(0))),
        tax_rate=rate(max(rates, default=None)),
    )


def _discount(raw: Raw) -> Discount:
    return Discount(
        title=raw.get("discountName") or raw.get("name") or "",
        amount=money(abs(Decimal(money(raw["discountAmount"]["amount"])))),
        tax_rate=rate(raw.get("vatRate")),
    )


def _total(lines: Sequence[Line], shipping: Shipping, discounts: Sequence[Discount]) -> Decimal:
    """OTTO names no total."""
    goods = sum((Decimal(line.unit_price) * line.quantity for line in lines), Decimal(0))
    return goods + Decimal(shipping.price) - sum((Decimal(each.amount) for each in discounts), Decimal(0))


def _changed_at(raw: Raw) -> datetime:
    lifecycle = raw.get("orderLifecycleInformation") or {}
    return _time(lifecycle.get("lifecycleChangeDate") or raw.get("lastModifiedDate") or raw["orderDate"])


def _expected(items: Iterable[Raw]) -> datetime | None:
    """OTTO names no shipping deadline, only when the buyer expects the parcel: the latest that makes sense."""
    return min(
        (_time(item["expectedDeliveryDate"]) for item in items if item.get("expectedDeliveryDate")), default=None
    )


def _time(value: str) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("a time has no offset")
    return moment


def _payment(raw: Raw | None) -> Payment | None:
    method = (raw or {}).get("paymentMethod")
    return Payment(method=method) if method else None


def _name(raw: Raw) -> str | None:
    return " ".join(part for part in (raw.get("title"), raw.get("firstName"), raw.get("lastName")) if part) or None


def _address(raw: Raw | None) -> Address | None:
    if not raw:
        return None
    return Address(
        name=_name(raw),
        street=raw.get("street"),
        house_number=raw.get("houseNumber"),
        addition=raw.get("addition"),
        zip_code=raw.get("zipCode"),
        city=raw.get("city"),
        country=alpha_2(raw.get("countryCode")),
    )


def _customer(invoice: Raw | None, delivery: Raw | None) -> Customer | None:
    """Who bought. The delivery address holds the plain e-mail address, the invoice address a pseudonym."""
    buyer = invoice or delivery
    if not buyer:
        return None
    goods = delivery or buyer
    return Customer(
        email=goods.get("email") or buyer.get("email"),
        first_name=buyer.get("firstName"),
        last_name=buyer.get("lastName"),
        company=_name(buyer) if buyer.get("salutation") == "COMPANY" else None,
        phone=goods.get("phoneNumber") or buyer.get("phoneNumber"),
    )
