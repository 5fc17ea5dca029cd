"""Pure parts of the Shopify connector where the samples do not say enough: answers, amounts, pieces, names, memory."""

from __future__ import annotations

import itertools
import json
import warnings
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.connectors.contract import Mappings, Reason, RemoteError, ShipmentDraft
from shared.connectors.registry import discover
from shared.connectors.shopify.answer import data_of
from shared.connectors.shopify.calls import quoted
from shared.connectors.shopify.carriers import COMPANIES, company
from shared.connectors.shopify.documents import DOCUMENTS
from shared.connectors.shopify.mapping import source_order
from shared.connectors.shopify.parcels import shown
from shared.connectors.shopify.sandbox_graphql import Document, QueryError
from shared.connectors.shopify.settings import ShopifySettings
from shared.connectors.shopify.shipment import draft_shipment, gathered
from shared.events.orders import Order, Shipment

SHOPIFY = discover()["shopify"]
SETTINGS = {"base_url": "https://shop.example.org", "access_token": "t"}


def sample(name: str) -> Any:
    return json.loads((SHOPIFY.folder / "samples" / f"{name}.json").read_text(encoding="utf-8"))


def cost(requested: float, available: float, rate: float) -> dict[str, Any]:
    status = {"maximumAvailable": 2000, "currentlyAvailable": available, "restoreRate": rate}
    return {"cost": {"requestedQueryCost": requested, "actualQueryCost": None, "throttleStatus": status}}


def error(code: str | None, message: str = "Something") -> list[dict[str, Any]]:
    return [{"message": message, **({"extensions": {"code": code}} if code else {})}]


@pytest.mark.parametrize(
    ("body", "changes", "reason", "retry_after"),
    [
        ({"errors": error("THROTTLED"), "extensions": cost(752, 402, 100)}, True, Reason.RATE_LIMITED, 3.5),
        ({"errors": error(None, "Throttled"), "extensions": cost(100, 200, 50)}, False, Reason.RATE_LIMITED, 0.0),
        ({"errors": error("THROTTLED"), "extensions": cost(900, 0, 0)}, False, Reason.RATE_LIMITED, None),
        ({"errors": error("THROTTLED")}, False, Reason.RATE_LIMITED, None),
        ({"errors": error("ACCESS_DENIED")}, True, Reason.FORBIDDEN, None),
        ({"data": {"orders": {"nodes": []}}, "errors": error("ACCESS_DENIED")}, False, Reason.FORBIDDEN, None),
        ({"errors": error("SHOP_INACTIVE")}, False, Reason.FORBIDDEN, None),
        ({"errors": error("MAX_COST_EXCEEDED")}, False, Reason.TOO_LARGE, None),
        ({"errors": error("INTERNAL_SERVER_ERROR"), "data": None}, True, Reason.UNAVAILABLE, None),
        ({"errors": error("undefinedField")}, True, Reason.INVALID, None),
        ({"errors": "Not Found"}, False, Reason.INVALID, None),
        # Errors beside the data of a change: it was carried out, whatever the errors say.
        ({"data": {"fulfillmentCreate": {}}, "errors": error("ACCESS_DENIED")}, True, Reason.BROKEN_ANSWER, None),
        ({"data": {"fulfillmentCreate": None}, "errors": error("ACCESS_DENIED")}, True, Reason.FORBIDDEN, None),
        ({"data": {"order": {}}, "errors": error(None)}, False, Reason.BROKEN_ANSWER, None),
        ({}, False, Reason.BROKEN_ANSWER, None),
        ([], False, Reason.BROKEN_ANSWER, None),
        (None, False, Reason.BROKEN_ANSWER, None),
    ],
)
def test_what_an_answer_with_http_200_says(body: Any, changes: bool, reason: Reason, retry_after: float | None) -> None:
    with pytest.raises(RemoteError) as caught:
        data_of("try", body, changes=changes)
    assert (caught.value.reason, caught.value.retry_after) == (reason, retry_after)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_document_asks_for_more_than_shopify_allows(name: str) -> None:
    variables = {"ids": ["x"] * 8, "presentment": True, "first": 250 if name == "list-quantities" else 8}
    assert 0 < Document(DOCUMENTS[name]).cost(variables) <= 1000


def test_reading_all_quantities_never_runs_out_of_points() -> None:
    """Else a long list would begin anew for ever: 100 points a second come back on the smallest plan."""
    settings = ShopifySettings.model_validate(SETTINGS)
    page = Document(DOCUMENTS["list-quantities"]).cost({"first": settings.stock_page_size})
    assert page * SHOPIFY.rate_limit < 100


def test_the_stand_in_tells_only_what_is_asked_for() -> None:
    document = Document(
        'query Q($n: Int!, $s: Boolean!) { a(first: $n) { nodes { x @skip(if: $s) y } } b(c: "d") { x } }'
    )
    held = {"a": lambda **_: [{"x": 1, "y": 2, "z": 3}] * 5, "b": lambda c: {"x": c, "y": 1}}
    assert document.answer(held, {"n": 2, "s": True}) == {"a": {"nodes": [{"y": 2}] * 2}, "b": {"x": "d"}}
    with pytest.raises(QueryError, match="'z'"):
        Document("query Q { b { z } }").answer({"b": lambda: {"x": 1}}, {})


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("DHL", "DHL"),
        (" dhl paket ", "DHL"),
        ("DHL Express 12:00", "DHL Express"),
        ("DHL-Freight", None),
        ("DHL 2-Mann-Handling", None),
        ("DPD Classic", "DPD"),
        ("Hermes Versand", "Hermes"),
        ("Hermes Einrichtungs-Service", None),
        ("UPS Standard", "UPS"),
        ("Deutsche Post Warenpost", "Deutsche Post"),
        ("Deutsche Post (DE)", "Deutsche Post (DE)"),
        ("Österreichische Post", "Austrian Post"),
        ("Eagle Logistik", None),  # a common word: what follows it may be another company
        ("Brieftaube", None),
        ("", None),
        (None, None),
    ],
)
def test_carriers(name: str | None, found: str | None) -> None:
    assert company(name) == found


def test_every_company_is_found_by_its_own_name() -> None:
    assert {name for name in COMPANIES.values() if company(name) != name} == set()


@pytest.mark.parametrize("value", ["plain", "it's", "back\\slash", "a' OR name:'b"])
def test_a_search_takes_a_value_literally(value: str) -> None:
    from shared.connectors.shopify.sandbox_shop import _terms

    assert _terms(f"sku:{quoted(value)}") == [("sku", value)]


@given(
    unit=st.decimals(min_value="0.01", max_value="5000", places=2),
    quantity=st.integers(1, 40),
    off=st.lists(st.decimals(min_value="0.01", max_value="3", places=2), max_size=3),
    percent=st.sampled_from([7, 19, 14.975]),
)
def test_prices_without_tax_come_to_what_is_charged(unit: Any, quantity: int, off: list[Any], percent: float) -> None:
    raw = sample("order-open")["raw"]
    raw["taxesIncluded"] = False
    net = unit * quantity - sum(off, Decimal(0))
    if net < 0:
        return
    tax = (net * Decimal(str(percent)) / 100).quantize(Decimal("0.01"))

    def bag(amount: Any) -> Any:
        return {"presentmentMoney": {"amount": str(amount), "currencyCode": "EUR"}}

    line = raw["lineItems"]["nodes"][0]
    line |= {"quantity": quantity, "currentQuantity": quantity, "originalUnitPriceSet": bag(unit)}
    line["taxLines"] = [{"ratePercentage": percent, "priceSet": bag(tax)}]
    line["discountAllocations"] = [
        {"allocatedAmountSet": bag(each), "discountApplication": {"code": f"C{number}"}}
        for number, each in enumerate(off)
    ]
    raw["lineItems"]["nodes"] = [line]
    order = source_order(raw).order
    (found,) = order.lines
    told = Decimal(found.unit_price) * quantity - sum((Decimal(each.amount) for each in order.discounts), Decimal(0))
    assert told.quantize(Decimal("0.01")) == net + tax or abs(told - net - tax) <= Decimal("0.00005") * quantity


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["nodes", "amount"]), inner, max_size=3)
    ),
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


@given(st.data(), _JSON, st.sampled_from(["order-open", "order-without-tax", "order-partly-removed"]))
def test_whatever_the_shop_sends_becomes_an_event(data: Any, garbage: Any, name: str) -> None:
    raw = sample(name)["raw"]
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


@pytest.mark.parametrize("garbage", [[], {}, "two", 1.5, True, None])
def test_a_quantity_that_is_no_number_is_refused_by_name(garbage: Any) -> None:
    raw = sample("order-open")["raw"]
    raw["lineItems"]["nodes"][0]["currentQuantity"] = garbage
    order = source_order(raw).order
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = order.model_dump_json(exclude_none=True)
    with pytest.raises(ValidationError, match="quantity"):
        Order.model_validate_json(text)


def work(place: str, line: str, left: int, status: str = "OPEN") -> dict[str, Any]:
    item = {"id": f"fol/{place}{line}", "remainingQuantity": left, "lineItem": {"id": f"li/{line}"}}
    return {
        "id": f"fo/{place}{line}",
        "status": status,
        "assignedLocation": {"location": {"id": f"loc/{place}"}},
        "lineItems": {"nodes": [item]},
    }


def order_with(*works: dict[str, Any], **more: Any) -> Any:
    lines = [{"id": f"li/{line}", "sku": line, "name": line, "quantity": 4} for line in "AB"]
    raw = {"id": "o/1", "lineItems": {"nodes": lines}, "fulfillmentOrders": {"nodes": list(works)}, **more}
    return shown(raw, {}, frozenset())


@pytest.mark.parametrize(
    ("works", "wanted", "found"),
    [
        ([work("1", "A", 4), work("2", "B", 4)], {"A": 2}, [("fo/1A", 2)]),
        ([work("1", "A", 4), work("2", "A", 4)], {"A": 2}, [("fo/2A", 2)]),  # the location of the settings goes first
        ([work("1", "A", 4), work("2", "A", 1)], {"A": 2}, [("fo/1A", 2)]),
        ([work("1", "A", 1), work("1", "A", 3)], {"A": 2}, [("fo/1A", 1), ("fo/1A", 1)]),
        ([work("1", "A", 4), work("2", "B", 4)], {"A": 1, "B": 1}, None),
        ([work("1", "A", 1), work("2", "A", 1)], {"A": 2}, None),
        ([work("1", "A", 1)], {"A": 2}, []),
        ([work("1", "A", 4, "ON_HOLD")], {"A": 1}, []),
        ([work("1", "A", 4, "CLOSED")], {"A": 1}, []),
    ],
)
def test_pieces_are_gathered_at_one_place(works: Any, wanted: Any, found: Any) -> None:
    said = gathered(order_with(*works), wanted, "2")
    assert (None if said is None else [(each.order, count) for each, count in said]) == found


@pytest.mark.parametrize(
    ("works", "more", "states"),
    [
        ([work("1", "A", 3), work("1", "B", 4)], {}, "cancelled open open open | open open open open"),
        (
            [work("1", "A", 3, "ON_HOLD"), work("2", "A", 1)],
            {},
            "announced announced announced open | " + "cancelled " * 4,
        ),
        ([work("1", "A", 4)], {"displayFinancialStatus": "PENDING"}, "announced " * 4 + "| " + "cancelled " * 4),
        ([work("1", "A", 4)], {"cancelledAt": "2026-11-23"}, "cancelled " * 4 + "| " + "cancelled " * 4),
        ([work("1", "A", 9)], {}, "open open open open | " + "cancelled " * 4),
    ],
)
def test_pieces_and_their_states(works: Any, more: Any, states: str) -> None:
    units = order_with(*works, **more).units()
    assert len({unit.id for unit in units}) == len(units) == 8
    first, second = (sorted(part.split()) for part in states.split("|"))
    assert sorted(unit.state for unit in units if unit.line == "A") == first
    assert sorted(unit.state for unit in units if unit.line == "B") == second


@given(st.lists(st.tuples(st.sampled_from(["A", "B"]), st.integers(1, 3)), max_size=5))
def test_no_piece_is_in_two_drafts(parcels: list[tuple[str, int]]) -> None:
    content = sample("shipment-partial")
    order = Order.model_validate(
        {**content["order"], "lines": [{**content["order"]["lines"][0], "id": line, "sku": line} for line in "AB"]}
    )
    units = order_with(work("1", "A", 4), work("1", "B", 4)).units()
    taken: list[str] = []
    settings = ShopifySettings.model_validate(SETTINGS)
    for sku, quantity in parcels:
        lines = [{"sku": sku, "quantity": quantity}]
        shipment = Shipment.model_validate({"id": "s", "carrier": "DHL", "tracking_number": "1", "lines": lines})
        draft = draft_shipment(settings, order, shipment, units, Mappings(), taken)
        if isinstance(draft, ShipmentDraft):
            taken += draft.units
            assert sum(each["quantity"] for each in draft.document["lines"]) == len(draft.units)
    assert len(set(taken)) == len(taken)


@pytest.mark.parametrize("given_settings", [{}, {"client_id": "c"}, {"client_secret": "s"}])
def test_credentials_are_needed(given_settings: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="client_"):
        ShopifySettings.model_validate({"base_url": "https://shop.example.org", **given_settings})
