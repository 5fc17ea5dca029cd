"""Money and rates as Shopify writes them → as the contract writes them. Pure.

Decimals throughout; a value that is no number stays as it came, so that intake can name it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

CENT = Decimal("0.01")
FINEST = Decimal("0.0001")


def decimal(value: Any) -> Decimal | None:
    """A number of a size that money and rates have."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < 10**12 else None


def amount(bag: Any) -> Any:
    """The amount of a MoneyBag, in the one currency that was asked for; None where there is none."""
    return _chosen(bag).get("amount")


def currency(bag: Any) -> str:
    """The currency of a MoneyBag."""
    return str(_chosen(bag).get("currencyCode") or "")


def _chosen(bag: Any) -> Mapping[str, Any]:
    for name in ("presentmentMoney", "shopMoney"):
        money = bag.get(name) if isinstance(bag, Mapping) else None
        if isinstance(money, Mapping):
            return money
    return {}


def money(value: Any) -> str:
    """`19.9` → "19.90": two decimals, or four where that says more."""
    number = decimal(value)
    if number is None:
        return "" if value is None else str(value)[:1000]
    cents = number.quantize(CENT)
    finest = number.quantize(FINEST)
    return str(cents if cents == finest else finest)


def total(amounts: Iterable[Any]) -> Decimal:
    """The sum of what is a number."""
    return sum((number for each in amounts if (number := decimal(each)) is not None), Decimal(0))


def rate(value: Any) -> str | None:
    """A percentage: 19 → "19.0"; None stays None, and what is no number as it is."""
    if value is None:
        return None
    number = decimal(value)
    if number is None:
        return str(value)[:1000]
    text = f"{number:.4f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


def summed_rate(tax_lines: Iterable[Mapping[str, Any]]) -> str | None:
    """Several taxes on one thing (state and county) as one rate; None where there is no tax at all."""
    rates = [each.get("ratePercentage") for each in tax_lines]
    if not rates:
        return None
    odd = [each for each in rates if decimal(each) is None]
    return rate(odd[0] if odd else total(rates))
