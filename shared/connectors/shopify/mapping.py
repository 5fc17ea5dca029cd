"""Shopify's Order → the contract's Order. Pure: raw JSON in, `SourceOrder` out, the same out for the same in.

Prices of the contract include tax; where Shopify's do not, its own tax amounts are added. Data that is absent stays
absent: the ERP stage names it, where a person can see the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import ValidationError

from shared.connectors.contract import SourceOrder
from shared.connectors.shopify.amounts import FINEST, amount, currency, decimal, money, rate, summed_rate, total
from shared.connectors.shopify.calls import number_of
from shared.connectors.shopify.settings import ShopifySettings
from shared.events.orders import Address, Customer, Discount, Line, Order, Payment, Shipping

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""When an order changed that does not say so: it must not move anybody's watermark."""

UNPAID = ("PENDING", "EXPIRED", "VOIDED")
NOT_A_METHOD = ("gift_card",)
"""Gateways that pay a part of an order beside its payment method."""

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the interface's settings say about orders; see `ShopifySettings`."""

    unpaid_methods: frozenset[str] = frozenset()
    tax_where_none: str = ""
    free_shipping_method: str = ""

    @classmethod
    def of(cls, settings: ShopifySettings) -> Rules:
        """The rules of an interface."""
        return cls(settings.unpaid_methods, settings.tax_where_none, settings.free_shipping_method)


def source_order(raw: Any, rules: Rules = Rules()) -> SourceOrder:  # frozen
    """One order as the shop shows it. Never raises.

    A value that the contract does not allow stays in the order as it came, unchecked: intake turns such an event into a
    rejection that names the value. So one odd order neither gets lost nor holds up the others of its page.
    """
    raw = _mapping(raw)
    included = raw.get("taxesIncluded") is not False
    everything = _nodes(raw.get("lineItems"))
    alive = [(item, left) for item in everything if (left := _left(raw, item)) != 0]
    cancelled = bool(raw.get("cancelledAt")) or not alive
    kept = [(item, item.get("quantity")) for item in everything] if cancelled else alive
    priced = [_priced(raw, item, count, included, rules) for item, count in kept]
    changed_at = _time(raw.get("updatedAt"))
    whole = cancelled or all(count == item.get("quantity") for item, count in kept)
    sum_ = raw.get("totalPriceSet" if whole else "currentTotalPriceSet")
    billing, shipping_address = _mapping(raw.get("billingAddress")), _mapping(raw.get("shippingAddress"))
    order = Order.model_construct(
        number=_text(raw.get("name")),
        marketplace_id=number_of(raw.get("id")),
        status="cancelled" if cancelled else "announced" if is_unpaid(raw, rules.unpaid_methods) else "open",
        changed_at=changed_at,
        ordered_at=_time(raw.get("processedAt")) or _time(raw.get("createdAt")),
        currency=currency(sum_),
        customer=_customer(raw, billing, shipping_address),
        billing_address=_address(billing),
        shipping_address=_address(shipping_address),
        lines=tuple(each.line for each in priced),
        shipping=_shipping(_nodes(raw.get("shippingLines")), included, rules),
        discounts=_discounts(priced),
        payment=_payment(raw),
        total=money(amount(sum_)),
    )
    with suppress(ValidationError):
        order = Order.model_validate(order.model_dump(warnings=False))
    return SourceOrder(order, changed_at or NEVER)


def is_unpaid(raw: Raw, unpaid_methods: frozenset[str]) -> bool:
    """Whether the order waits for its payment, and its payment method is none that may be shipped before."""
    if raw.get("displayFinancialStatus") not in UNPAID:
        return False
    methods = (_text(each).strip().casefold() for each in _list(raw.get("paymentGatewayNames")))
    return not unpaid_methods.intersection(methods)


def sku_of(item: Raw) -> str:
    """The SKU; goods without one (a tip, a gift wrapping) go by their name, so that the Journal can name them."""
    return (_text(item.get("sku")) or _text(item.get("name")) or number_of(item.get("id")))[:200]


@dataclass(frozen=True, slots=True)
class _Priced:
    line: Line
    discounts: tuple[tuple[str, Decimal], ...]


def _left(raw: Raw, item: Raw) -> Any:
    """How many pieces are still wanted. After a return Shopify counts down as well, but those were ordered and sent."""
    return item.get("currentQuantity" if raw.get("returnStatus") in (None, "NO_RETURN") else "quantity")


def _priced(raw: Raw, item: Raw, count: Any, included: bool, rules: Rules) -> _Priced:
    """A line with its price including tax, and its share of the order's discounts."""
    taxes = _mappings(item.get("taxLines"))
    percent = _rate(raw, item, taxes, rules)
    given = amount(item.get("originalUnitPriceSet"))
    unit, quantity = decimal(given), item.get("quantity")
    allocations = _mappings(item.get("discountAllocations"))
    shares = [(_title(each), decimal(amount(each.get("allocatedAmountSet")))) for each in allocations]
    off = [(title, share) for title, share in shares if share]
    if unit is not None and _is_count(quantity) and quantity and _is_count(count):
        with suppress(InvalidOperation):  # figures that nobody charges; intake looks at what is left as it came
            if not included:
                unit, off = _with_tax(unit, quantity, off, taxes, percent)
            if count != quantity:
                off = [(title, (share * count / quantity).quantize(FINEST)) for title, share in off]
    line = Line.model_construct(
        id=number_of(item.get("id")),
        sku=sku_of(item),
        title=_text(item.get("name")),
        quantity=count if type(count) is int else 0,  # nought is refused by name, as what is no number would be
        unit_price=money(given if unit is None else unit),
        tax_rate=percent,
    )
    return _Priced(line, tuple(off))


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 1_000_000


def _with_tax(
    unit: Decimal, quantity: int, off: Sequence[tuple[str, Decimal]], taxes: Sequence[Raw], percent: str | None
) -> tuple[Decimal, list[tuple[str, Decimal]]]:
    """Price and discounts with tax on top, so that together they make what Shopify charges for the line."""
    tax = total(amount(each.get("priceSet")) for each in taxes)
    share = sum((each for _, each in off), Decimal(0))
    charged = unit * quantity - share + tax
    if not share:
        return (charged / quantity).quantize(FINEST), []
    factor = 1 + (decimal(percent) or Decimal(0)) / 100
    gross = (unit * factor).quantize(FINEST)
    rest = gross * quantity - charged
    found = []
    for title, each in off[:-1]:
        part = (each * factor).quantize(FINEST)
        found.append((title, part))
        rest -= part
    return gross, [*found, (off[-1][0], rest.quantize(FINEST))]


def _rate(raw: Raw, item: Raw, taxes: Sequence[Raw], rules: Rules) -> str | None:
    """No tax line says that there is none where somebody says so; otherwise a tax may be missing in the shop."""
    found = summed_rate(taxes)
    if found is not None:
        return found
    if raw.get("taxExempt") is True or item.get("taxable") is False:
        return "0.0"
    return rate(rules.tax_where_none) if rules.tax_where_none else None


def _discounts(priced: Sequence[_Priced]) -> tuple[Discount, ...]:
    """One discount for each title and tax rate."""
    sums: dict[tuple[str, str | None], Decimal] = {}
    for each in priced:
        for title, share in each.discounts:
            key = (title, each.line.tax_rate)
            sums[key] = sums.get(key, Decimal(0)) + share
    return tuple(
        Discount.model_construct(title=title, amount=money(share), tax_rate=percent)
        for (title, percent), share in sums.items()
        if share
    )


def _title(allocation: Raw) -> str:
    said = _mapping(allocation.get("discountApplication"))
    return _text(said.get("title") or said.get("code"))


def _shipping(lines: Sequence[Raw], included: bool, rules: Rules) -> Shipping | None:
    """All shipping lines as one, at the highest of their rates; discounts on shipping are taken off already."""
    if not lines:
        return Shipping(method=rules.free_shipping_method) if rules.free_shipping_method else None
    prices = [amount(line.get("discountedPriceSet")) for line in lines]
    taxes = [_mappings(line.get("taxLines")) for line in lines]
    odd = [each for each in prices if decimal(each) is None]
    price = total(prices)
    if not included:
        price += total(amount(each.get("priceSet")) for group in taxes for each in group)
    rates = [found for group in taxes if (found := summed_rate(group)) is not None]
    percent = max(rates, key=lambda each: decimal(each) or Decimal(0), default=rate(rules.tax_where_none or None))
    if percent is None and not price:
        percent = "0.0"  # nothing is charged, so there is no tax to name
    return Shipping.model_construct(
        method=_text(lines[0].get("title")), price=money(odd[0] if odd else price), tax_rate=percent
    )


def _payment(raw: Raw) -> Payment | None:
    names = [_text(each) for each in _list(raw.get("paymentGatewayNames"))]
    method = next((each for each in names if each and each not in NOT_A_METHOD), names[0] if names else "")
    return Payment(method=method) if method else None


def _customer(raw: Raw, billing: Raw, goods: Raw) -> Customer | None:
    buyer = _mapping(raw.get("customer"))
    found = Customer(
        email=_part(raw, "email"),
        first_name=_part(buyer, "firstName"),
        last_name=_part(buyer, "lastName"),
        company=_part(billing, "company"),
        phone=_part(raw, "phone") or _part(goods, "phone") or _part(billing, "phone"),
    )
    return found if any(found.model_dump().values()) else None


def _address(raw: Raw) -> Address | None:
    """Shopify has street and house number in one, and the company beside the name."""
    if not raw:
        return None
    name, company = _part(raw, "name"), _part(raw, "company")
    addition = [each for each in (company if name else None, _part(raw, "address2")) if each]
    return Address.model_construct(
        name=name or company,
        street=_part(raw, "address1"),
        house_number=None,
        addition=", ".join(addition) or None,
        zip_code=_part(raw, "zip"),
        city=_part(raw, "city"),
        country=_part(raw, "countryCodeV2"),
    )


def _part(raw: Raw, name: str) -> str | None:
    return _text(raw.get(name)).strip() or None


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:1000]


def _mapping(value: Any) -> Raw:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mappings(value: Any) -> list[Raw]:
    return [each for each in _list(value) if isinstance(each, Mapping)]


def _nodes(connection: Any) -> list[Raw]:
    return _mappings(_mapping(connection).get("nodes"))


def _time(value: Any) -> Any:
    """A moment, or None where there is none."""
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None
