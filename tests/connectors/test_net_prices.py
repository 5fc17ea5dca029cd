"""Gross prices become net ones with which the ERP computes the very same total."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.connectors.tryton.pricing import CENT, DIGITS, Amount, Net, net_prices, total

RATES = ("0", "5.5", "7", "10", "19", "20", "25")
amounts = st.builds(
    Amount,
    st.integers(1, 12),
    st.integers(-9_000, 50_000).map(lambda cents: Decimal(cents) / 100),
    st.sampled_from(RATES).map(Decimal),
)


@given(st.lists(amounts, min_size=1, max_size=8), st.sampled_from(["document", "line"]))
def test_the_total_is_the_same_to_the_cent_and_no_price_moves_by_much(lines: list[Amount], rounding: str) -> None:
    prices, left = net_prices(lines, rounding)
    nets = [Net(each.quantity, price, each.rate / 100) for each, price in zip(lines, prices, strict=True)]
    assert total(nets, rounding) + left == sum(each.gross * each.quantity for each in lines)
    assert abs(left) <= CENT * len(lines)
    for each, price in zip(lines, prices, strict=True):
        assert price == price.quantize(DIGITS)
        assert abs(price * (1 + each.rate / 100) - each.gross) < Decimal("0.03")


@pytest.mark.parametrize(
    ("lines", "prices"),
    [
        ([(2, "19.99", "19")], ["16.7983"]),  # divided and nothing more
        ([(1, "0.03", "19")], ["0.0252"]),  # 0.03 and no tax
        ([(1, "-5.00", "19")], ["-4.2017"]),
        ([(1, "9.99", "0")], ["9.9900"]),
        # 0.8655 each would be 0.87 three times and 0.49 of tax: a cent too much, until one is 0.86
        ([(1, "1.03", "19"), (1, "1.03", "19"), (1, "1.03", "19")], ["0.8650", "0.8655", "0.8655"]),
    ],
)
def test_known_prices(lines: list[tuple[int, str, str]], prices: list[str]) -> None:
    asked = [Amount(count, Decimal(gross), Decimal(rate)) for count, gross, rate in lines]
    found, left = net_prices(asked, "document")
    assert left == 0
    assert found == [Decimal(price) for price in prices]


def test_what_no_price_can_mend_is_left_over() -> None:
    found, left = net_prices([Amount(9000, Decimal("0.01"), Decimal(19))], "document")
    assert total([Net(9000, found[0], Decimal("0.19"))], "document") + left == Decimal("90.00")
    assert left != 0
