"""How a Vendure order is read, where the samples do not say enough: amounts, states, pieces, and garbage."""

from __future__ import annotations

import itertools
import json
import warnings
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.connectors.registry import discover
from shared.connectors.vendure.amounts import money, rate, shipping_rate
from shared.connectors.vendure.fulfilment import fulfilments, units_of
from shared.connectors.vendure.mapping import Reading, marketplace_id, shop_id, source_order
from tests.connectors.test_mappings import places


def raw_order(name: str = "order-discounts") -> Any:
    path = discover()["vendure"].folder / "samples" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))["raw"]


@pytest.mark.parametrize(
    ("minor", "precision", "text"),
    [
        (1995, 2, "19.95"),
        (5, 2, "0.05"),
        (0, 2, "0.00"),
        (1995, 0, "1995.00"),
        (19955, 3, "19.9550"),
        ("n/a", 2, "n/a"),
    ],
)
def test_money(minor: Any, precision: int, text: str) -> None:
    assert money(minor, precision) == text


@pytest.mark.parametrize(("value", "text"), [(19, "19.0"), (5.5, "5.5"), (0, "0.0"), (None, None), ("x", "x")])
def test_rate(value: Any, text: str | None) -> None:
    assert rate(value) == text


@pytest.mark.parametrize(
    ("net", "gross", "known", "text"),
    [
        (412, 490, [19, 7], "19.0"),
        (458, 490, [19, 7], "7.0"),
        (490, 490, [19, 0], "0.0"),
        (84, 100, [19, 20], "19.0"),  # 19.05 by its prices: the net one is rounded
        (412, 490, [], "18.9"),  # no rate of the order to choose from
        (0, 0, [19], None),
        (None, 490, [19], None),
    ],
)
def test_the_rate_of_a_delivery(net: Any, gross: Any, known: list[Any], text: str | None) -> None:
    assert shipping_rate(net, gross, known) == text


@given(st.data())
def test_parts_add_up_to_what_the_shop_takes(data: Any) -> None:
    """Whatever single discounts say: they are rounded, and may be older than the order."""
    raw, minor = raw_order("order-open"), st.integers(0, 50_000)
    raw["lines"], total = [], 0
    for number in range(data.draw(st.integers(1, 4))):
        quantity, unit = data.draw(st.integers(1, 9)), data.draw(minor)
        whole = unit * quantity
        left = data.draw(st.integers(0, whole))
        named = data.draw(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(-60_000, 0)), max_size=3))
        discounts = [{"description": text, "amountWithTax": amount} for text, amount in named]
        raw["lines"].append(
            {
                "id": str(number), "quantity": quantity, "orderPlacedQuantity": quantity, "unitPriceWithTax": unit,
                "linePriceWithTax": whole, "proratedLinePriceWithTax": left, "taxRate": 19, "discounts": discounts,
                "productVariant": {"sku": "A", "name": "A"},
            }
        )  # fmt: skip
        total += left
    order = source_order({**raw, "totalWithTax": total + 490}).order
    goods = sum(Decimal(line.unit_price) * line.quantity for line in order.lines)
    off = [Decimal(each.amount) for each in order.discounts]
    assert all(amount > 0 for amount in off)
    assert order.shipping
    assert goods + Decimal(order.shipping.price) - sum(off) == Decimal(order.total)


@pytest.mark.parametrize(
    ("state", "payment", "status"),
    [
        ("PaymentSettled", "Settled", "open"),
        ("PaymentAuthorized", "Authorized", "announced"),
        ("Shipped", "Settled", "open"),
        ("Modifying", "Settled", "announced"),
        ("ArrangingAdditionalPayment", "Settled", "announced"),
        ("PickedByAPlugIn", "Settled", "open"),
        ("Cancelled", "Settled", "cancelled"),
    ],
)
def test_states(state: str, payment: str, status: str) -> None:
    raw = {**raw_order("order-open"), "state": state}
    raw["payments"][0]["state"] = payment
    assert source_order(raw, Reading(announced_payments=("invoice",))).order.status == status
    assert source_order(raw).order.status == ("open" if state == "PaymentAuthorized" else status)


def test_an_id_is_told_apart_from_a_number() -> None:
    assert shop_id(marketplace_id("17")) == "17"
    assert shop_id("17") is None
    assert shop_id("id:1 or 1=1") is None
    assert shop_id("id:0e3a5d5e-8c1f-4a4f-9b1d-3f6f0a7b2c11")


@given(
    st.data(),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "sku"]), inner, max_size=3),
    ),
)
def test_whatever_the_shop_sends_becomes_an_event(data: Any, garbage: Any) -> None:
    raw = raw_order()
    path = data.draw(st.sampled_from(places(raw)))
    holder = {"whole": raw}
    spot: Any = holder
    for before, _ in itertools.pairwise(("whole", *path)):
        spot = spot[before]
    spot[path[-1] if path else "whole"] = garbage
    found = source_order(holder["whole"])
    assert found.changed_at.tzinfo is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found.order.model_dump_json(exclude_none=True)


def test_a_quantity_that_is_none_is_passed_on_for_a_rejection() -> None:
    raw = raw_order("order-open")
    raw["lines"][0]["quantity"] = "two"
    assert [line.quantity for line in source_order(raw).order.lines] == [0, 1], "which the contract refuses by name"


def made(number: int, quantity: int, state: str = "Shipped", ended: int = 0) -> dict[str, Any]:
    """A fulfilment of line 1, made at minute `number`, and cancelled at minute `ended`."""
    at, until = f"2026-11-01T10:{number:02}:00.000Z", f"2026-11-01T10:{ended or number:02}:00.000Z"
    return {
        "id": str(number), "createdAt": at, "updatedAt": until, "state": state, "method": "DHL",
        "trackingCode": f"T{number}", "lines": [{"orderLineId": "1", "quantity": quantity}],
    }  # fmt: skip


def with_pieces(quantity: int, placed: int, *held: dict[str, Any]) -> dict[str, Any]:
    line = {"id": "1", "quantity": quantity, "orderPlacedQuantity": placed, "productVariant": {"sku": "A"}}
    return {"id": "7", "state": "PaymentSettled", "lines": [line], "fulfillments": list(held)}


@pytest.mark.parametrize(
    ("raw", "pieces", "states"),
    [
        (with_pieces(3, 3, made(1, 2), made(2, 1)), {"1": (1, 2), "2": (3,)}, "sss"),
        (with_pieces(2, 3, made(1, 1)), {"1": (1,)}, "soc"),
        # Ids that count are numbers: the tenth comes after the ninth.
        (with_pieces(4, 4, made(10, 1), made(9, 2)), {"9": (1, 2), "10": (3,)}, "ssso"),
        # One that is cancelled after the next was made: that one keeps its pieces.
        (with_pieces(4, 4, made(1, 2, "Cancelled", 3), made(2, 1)), {"2": (3,)}, "ooso"),
        # One that was cancelled before: its pieces are free again.
        (with_pieces(4, 4, made(1, 2, "Cancelled", 2), made(3, 3)), {"3": (1, 2, 3)}, "ssso"),
        (with_pieces(2, 2, made(1, 1, "Pending")), {"1": (1,)}, "oo"),
        (with_pieces(3, 2, made(1, 1)), {"1": (1,)}, "soo"),  # made larger after it was placed
    ],
)
def test_pieces(raw: Any, pieces: dict[str, tuple[int, ...]], states: str) -> None:
    found = {each.id: each.pieces for each in fulfilments(raw)}
    assert found == {number: tuple(f"1/{piece}" for piece in held) for number, held in pieces.items()}
    assert "".join(unit.state[0] for unit in units_of(raw)) == states


def test_a_piece_that_is_only_prepared_bears_its_number() -> None:
    first, second = units_of(with_pieces(2, 2, made(1, 1, "Pending")))
    assert (first.state, first.tracking_number) == ("open", "T1")
    assert second.tracking_number is None


def test_the_time_of_a_change_is_the_database_s() -> None:
    """A server in another time zone writes when an order was placed; it must not hide what changed since."""
    raw = {**raw_order("order-open"), "orderPlacedAt": "2026-11-23T10:07:24.123Z"}
    assert source_order(raw).changed_at.isoformat() == "2026-11-23T08:07:24.130000+00:00"
    assert source_order({**raw, "history": {"items": []}}).changed_at.hour == 10


@pytest.mark.parametrize("name", ["order-discounts"])
def test_an_order_whose_parts_changed_places_has_not_changed(name: str) -> None:
    """Vendure's database finds them in another order now and then."""
    raw = raw_order(name)
    assert len(raw["lines"]) > 1
    turned = {key: list(reversed(value)) if isinstance(value, list) else value for key, value in raw.items()}
    assert source_order(turned) == source_order(raw)
    assert units_of(turned) == units_of(raw)
