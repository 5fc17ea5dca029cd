"""Gross prices of a marketplace → net unit prices with which Tryton computes the very same total. Pure.

Tryton keeps net unit prices with four digits, rounds each line to the cent (half to even), and adds the taxes: computed
from the prices before that rounding, added up per tax, and rounded once (`document`) or line by line (`line`); what is
below zero, such as a discount, is added up and rounded apart from what is above. Gross prices that are simply divided
may so end a cent beside the marketplace's total. Then one price is moved by the least that mends it, usually less than
half a cent; where none does, the rest is left for a line of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
DIGITS = Decimal("0.0001")
MOVED_AT_MOST = 200
"""Steps of the last digit by which a price is moved: two cents."""

TRIED_LINES = 8


@dataclass(frozen=True, slots=True)
class Amount:
    """What one line of a sale is about: a gross price for each piece, and the tax in it (19 for 19 %; 0 for none)."""

    quantity: int
    gross: Decimal
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Net:
    """A line as Tryton computes with it. rate is a fraction."""

    quantity: int
    price: Decimal
    rate: Decimal


def net_prices(amounts: Sequence[Amount], rounding: str) -> tuple[list[Decimal], Decimal]:
    """The net unit prices, and what is left over for a line without tax: 0 nearly always."""
    target = sum((each.gross * each.quantity for each in amounts), Decimal(0)).quantize(CENT, ROUND_HALF_UP)
    nets = [_net(each) for each in amounts]
    if total(nets, rounding) != target:
        nets = next((each for each in _moved(nets) if total(each, rounding) == target), nets)
    return [each.price for each in nets], target - total(nets, rounding)


def total(nets: Sequence[Net], rounding: str) -> Decimal:
    """What Tryton shows as the total of such lines."""
    untaxed = sum((_round(net.price * net.quantity) for net in nets), Decimal(0))
    taxes: dict[tuple[Decimal, bool], Decimal] = {}
    for net in nets:
        tax, group = net.price * net.quantity * net.rate, (net.rate, net.price >= 0)
        taxes[group] = taxes.get(group, Decimal(0)) + (_round(tax) if rounding == "line" else tax)
    return untaxed + sum((_round(tax) for tax in taxes.values()), Decimal(0))


def _net(amount: Amount) -> Net:
    rate = amount.rate / 100
    return Net(amount.quantity, (amount.gross / (1 + rate)).quantize(DIGITS, ROUND_HALF_UP), rate)


def _moved(nets: Sequence[Net]) -> Iterator[list[Net]]:
    """The same lines with one price moved, by little first; lines of few pieces move the total in small steps."""
    places = sorted(range(len(nets)), key=lambda place: nets[place].quantity)[:TRIED_LINES]
    for step in range(1, MOVED_AT_MOST + 1):
        for place in places:
            for price in (nets[place].price + step * DIGITS, nets[place].price - step * DIGITS):
                yield [*nets[:place], replace(nets[place], price=price), *nets[place + 1 :]]


def _round(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_EVEN)
