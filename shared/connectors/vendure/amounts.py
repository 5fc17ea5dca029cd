"""Vendure's amounts → the contract's. Pure. Vendure counts minor units; how many decimals they are is set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from shared.events.orders import Discount

Raw = Mapping[str, Any]
LARGEST_RATE = 1000
"""Percent; the contract has three digits."""


def decimal(value: Any) -> Decimal | None:
    """A number of a size that money and rates have; None for anything else."""
    if isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < 10**12 else None


def money(minor: Any, precision: int) -> str:
    """1995 with two decimals → "19.95"; two decimals or more. What is no number stays as it is, for the contract."""
    number = decimal(minor)
    return _text(minor) if number is None else written(number.scaleb(-precision))


def written(amount: Decimal) -> str:
    """An amount with two decimals, or with four where it needs them."""
    cents = amount.quantize(Decimal("0.01"))
    return str(cents if cents == amount else amount.quantize(Decimal("0.0001")))


def rate(value: Any) -> str | None:
    """A tax rate as the contract writes it: 19 → "19.0"; None stays None, and what is no number as it is."""
    if value is None:
        return None
    number = decimal(value)
    if number is None:
        return _text(value)
    text = f"{number:.4f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


def unit_price(line: Raw, quantity: int, precision: int) -> str:
    """The price of one piece before discounts.

    Where prices are kept without tax, the rounded price of one piece times the quantity is not always what the buyer
    pays for the line. Then it is the line's price through the quantity, with four decimals.
    """
    one, whole = decimal(line.get("unitPriceWithTax")), decimal(line.get("linePriceWithTax"))
    if one is None or whole is None or not quantity or line.get("quantity") != quantity or one * quantity == whole:
        return money(line.get("unitPriceWithTax"), precision)
    return written((whole / quantity).scaleb(-precision))


class Discounts:
    """Collects what is taken off, by title and tax rate, so that the tax of an order comes out right."""

    def __init__(self, precision: int) -> None:
        self._precision = precision
        self._found: dict[tuple[str, str | None], Decimal] = {}

    def add(self, before: Any, after: Any, named: Any, tax_rate: str | None) -> None:
        """A price before and after its discounts; `named` says which they were.

        What counts is the difference: amounts of single discounts are rounded, and may be older than a change of the
        order. The last one takes what the others leave.
        """
        first, last = decimal(before), decimal(after)
        if first is None or last is None or first == last:
            return
        gap = first - last
        parts = [each for each in named if isinstance(each, Mapping)] if isinstance(named, list) else []
        for place, part in enumerate(parts or [{}], 1):
            amount = decimal(part.get("amountWithTax"))
            taken = gap if place >= len(parts) or amount is None else min(-amount, gap)
            key = (_text(part.get("description")), tax_rate)
            self._found[key] = self._found.get(key, Decimal(0)) + taken
            gap -= taken

    def taken(self, title: Any, minor: Any, tax_rate: str | None) -> None:
        """An amount that is taken off by itself, such as a surcharge below zero."""
        number = decimal(minor)
        if number is not None:
            key = (_text(title), tax_rate)
            self._found[key] = self._found.get(key, Decimal(0)) + abs(number)

    def told(self) -> tuple[Discount, ...]:
        """The contract's discounts, in the order in which they were found."""
        return tuple(
            Discount.model_construct(title=title, amount=money(minor, self._precision), tax_rate=tax_rate)
            for (title, tax_rate), minor in self._found.items()
            if minor
        )


def shipping_rate(price: Any, with_tax: Any, known: Iterable[Any]) -> str | None:
    """The tax rate of a delivery: Vendure names its price with and without tax only. Of the order's rates the nearest.

    None where the delivery costs nothing, or too little to tell. With the net price rounded to whole minor units,
    several rates may fit.
    """
    net, gross = decimal(price), decimal(with_tax)
    if not net or gross is None:
        return None
    rates: Sequence[Decimal] = [found for each in known if (found := decimal(each)) is not None]
    told = (gross / net - 1) * 100
    if abs(told) >= LARGEST_RATE:
        return None  # next to no price and a large tax: whatever is wrong there, it is no rate
    if not rates:
        return rate(told.quantize(Decimal("0.1")))
    return rate(min(rates, key=lambda each: abs(each - told)))


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:1000]
