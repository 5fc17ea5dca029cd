"""Mappings of single connectors where the samples do not say enough: rounding, order, and everything wrong at once."""

from __future__ import annotations

import itertools
import json
import random
import warnings
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.connectors.contract import Draft, Mappings
from shared.connectors.otto.mapping import money, rate, source_order
from shared.connectors.registry import discover
from shared.connectors.xentral.calls import batches
from shared.connectors.xentral.known import KnownProducts
from shared.connectors.xentral.mapping import draft
from shared.connectors.xentral.refusal import complaints
from shared.errors.problem import Problem
from shared.events.orders import Order


def sample(key: str, name: str) -> Any:
    return json.loads((discover()[key].folder / "samples" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def raw() -> Any:
    return sample("otto", "order-open")["raw"]


@pytest.fixture
def order() -> Any:
    return sample("xentral", "order-good")["order"]


def problems(order: Any, mappings: Any = None) -> list[Problem]:
    table = sample("xentral", "mappings") if mappings is None else mappings
    found = draft(Order.model_validate(order), Mappings(table), Decimal("0.05"))
    assert not isinstance(found, Draft)
    return found


def test_units_merge_whatever_order_they_come_in(raw: Any) -> None:
    expected = source_order(raw)
    for _ in range(10):
        random.shuffle(raw["positionItems"])
        assert source_order(raw) == expected


def test_units_of_another_price_or_tax_are_lines_of_their_own(raw: Any) -> None:
    raw["positionItems"][0]["itemValueGrossPrice"]["amount"] = 18.5
    raw["positionItems"][1]["product"]["vatRate"] = 7
    assert len(source_order(raw).order.lines) == 3


def test_an_order_is_announced_as_long_as_one_item_is(raw: Any) -> None:
    raw["positionItems"][0]["fulfillmentStatus"] = "ANNOUNCED"
    assert source_order(raw).order.status == "announced"
    raw["positionItems"][0]["fulfillmentStatus"] = "CANCELLED_BY_PARTNER"
    assert source_order(raw).order.status == "open"
    for item in raw["positionItems"]:
        item["fulfillmentStatus"] = "CANCELLED_BY_MARKETPLACE"
    assert source_order(raw).order.status == "cancelled"
    assert len(source_order(raw).order.lines) == 2, "a cancelled order keeps its lines"


def test_the_time_of_the_change_falls_back(raw: Any) -> None:
    raw["orderLifecycleInformation"] = {}
    raw["lastModifiedDate"] = "2026-11-23T10:00:00+01:00"
    assert source_order(raw).changed_at.isoformat() == "2026-11-23T09:00:00+00:00"


@pytest.mark.parametrize(
    ("value", "text"), [(19.95, "19.95"), (5, "5.00"), (0.1 + 0.2, "0.3000"), (1e3, "1000.00"), (-2.5, "-2.50")]
)
def test_money(value: float, text: str) -> None:
    assert money(value) == text


@pytest.mark.parametrize(("value", "text"), [(19, "19.0"), (19.0, "19.0"), (10, "10.0"), (5.5, "5.5"), (None, None)])
def test_rate(value: float | None, text: str | None) -> None:
    assert rate(value) == text


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["amount", "sku", "x"]), inner, max_size=3)
    ),
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


@given(st.data(), _JSON)
def test_whatever_the_marketplace_sends_becomes_an_event(data: Any, garbage: Any) -> None:
    raw = sample("otto", "order-open")["raw"]
    path = data.draw(st.sampled_from(places(raw)))
    holder = {"whole": raw}
    spot: Any = holder
    for before, key in itertools.pairwise(("whole", *path)):
        spot, _ = spot[before], key
    spot[path[-1] if path else "whole"] = garbage
    found = source_order(holder["whole"])
    assert found.changed_at.tzinfo is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found.order.model_dump_json(exclude_none=True)


def test_every_problem_is_named_at_once(order: Any) -> None:
    order.update(billing_address=None, payment=None, customer=None)
    order["shipping_address"] = {"name": None, "street": " ", "city": None, "zip_code": None, "country": None}
    order["lines"][0]["tax_rate"] = None
    found = {(problem.code, problem.field, problem.key) for problem in problems(order, {})}
    assert found == {
        ("billing-address-missing", "billing_address", None),
        ("customer-name-missing", "shipping_address.name", None),
        ("address-incomplete", "shipping_address.street", None),
        ("address-incomplete", "shipping_address.city", None),
        ("address-incomplete", "shipping_address.zip_code", None),
        ("address-incomplete", "shipping_address.country", None),
        ("payment-missing", "payment", None),
        ("shipping-unmapped", "shipping.method", "shipping:DELIVERY_FEE_STANDARD"),
        ("tax-missing", "lines.0.tax_rate", None),
        ("tax-unmapped", "lines.1.tax_rate", "tax:19.0"),
        ("tax-unmapped", "shipping.tax_rate", "tax:19.0"),
        ("tax-unmapped", "discounts.0.tax_rate", "tax:19.0"),
        *(("setting-missing", "", f"setting:{name}") for name in ("customer", "project", "channel")),
        *(("setting-missing", "", f"setting:{name}") for name in ("shipping-article", "discount-article")),
    }


@pytest.mark.parametrize("spelling", ["19", "19.0", "19.00"])
def test_one_tax_rate_has_many_spellings(order: Any, spelling: str) -> None:
    table = {**sample("xentral", "mappings"), "tax": {spelling: "normal", "nonsense": "normal"}}
    assert isinstance(draft(Order.model_validate(order), Mappings(table), Decimal(0)), Draft)
    (problem, *_) = problems(order, {**table, "tax": {spelling: ""}})
    assert problem.key == "tax:19.0"


def test_a_total_that_differs_is_a_remark_and_not_an_obstacle(order: Any) -> None:
    order["total"] = "69.39"
    found = draft(Order.model_validate(order), Mappings(sample("xentral", "mappings")), Decimal("0.05"))
    assert isinstance(found, Draft)
    (remark,) = found.remarks
    assert (remark.code, remark.values["difference"]) == ("total-differs", "0.01")
    assert "autoShipping" not in found.document["delivery"]


def test_less_than_a_cent_is_no_difference(order: Any) -> None:
    order["lines"][0]["unit_price"] = "19.9899"  # two of them
    found = draft(Order.model_validate(order), Mappings(sample("xentral", "mappings")), Decimal("0.05"))
    assert isinstance(found, Draft)
    assert found.remarks == ()


def test_refusals_in_all_their_forms() -> None:
    document = {"positions": [{"product": {"sku": "A"}}, {"product": {"sku": "B/ü"}}]}
    mirrored = {"violations": {"positions": [{}, {"product": {"id": ["gone"]}}], "date": ["bad"], "_": ["whole"]}}
    assert [(each.code, each.field) for each in complaints(mirrored, document)] == [
        ("sku-unknown", "lines.1.sku"),
        ("remote-refused", "date"),
        ("remote-refused", ""),
    ]
    flat = {"violations": {"positions.0.product.id": ["gone"]}}
    assert [each.key for each in complaints(flat, document)] == ["sku:A"]
    assert [each.values["message"] for each in complaints({"messages": ["a", "b"]})] == ["a", "b"]
    items = {"items": [{"id": 1, "title": "t", "messages": ["c"]}]}
    assert [each.values["message"] for each in complaints(items)] == ["c"]
    assert complaints("<html>") == complaints({"violations": None}) == []


def test_known_products_are_bounded_and_forget() -> None:
    known = KnownProducts(seconds=60, most=2)
    known.learn({"a": "1", "b": "2", "c": "3"})
    assert known.ids(["a", "b", "c", "d"]) == {"b": "2", "c": "3"}
    known.forget(["b", "x"])
    assert known.ids(["b", "c"]) == {"c": "3"}
    old = KnownProducts(seconds=0)
    old.learn({"a": "1"})
    assert old.ids(["a"]) == {}


@given(st.lists(st.text(min_size=1, max_size=200), max_size=200))
def test_batches_lose_nothing_and_stay_small(values: list[str]) -> None:
    groups = list(batches(values))
    assert [value for group in groups for value in group] == values
    assert all(0 < len(group) <= 50 for group in groups)
