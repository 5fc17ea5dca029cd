"""Quantities to Shopify against a warehouse that answers as told: shared SKUs, stale memory, unnamed refusals."""

from __future__ import annotations

from typing import Any

import pytest

from shared.connectors.contract import OwnTokens
from shared.connectors.http import Answer
from shared.connectors.shopify.items import KnownItems
from shared.connectors.shopify.settings import ShopifySettings
from shared.connectors.shopify.stock import ShopifyStock

SETTINGS = {"base_url": "https://shop.example.org", "access_token": "t", "location_id": "1"}


class Warehouse:
    """Answers look-ups and quantities as told: `items` by SKU, `refusal` says what is wrong with a list of entries."""

    base_url, deadline = "http://warehouse", 1.0

    def __init__(self, items: dict[str, list[str]], refusal: Any = lambda _: []) -> None:
        self.tokens = OwnTokens()
        self.items, self.refusal = items, refusal
        self.held: dict[str, int] = {}
        self.calls: list[str] = []

    def request_json(self, operation: str, method: str, path: str, **given_call: Any) -> Any:
        self.calls.append(operation)
        variables = given_call["json"]["variables"]
        if operation == "find-items":
            asked = variables["query"]
            nodes = [{"id": id_, "sku": sku} for sku, ids in self.items.items() if f"'{sku}'" in asked for id_ in ids]
            return Answer(200, {}, {"data": {"inventoryItems": {"nodes": nodes, "pageInfo": {"hasNextPage": False}}}})
        entries = variables["input"]["quantities"]
        assert len(entries) <= 250
        errors = self.refusal(entries)
        if not errors:
            self.held |= {each["inventoryItemId"]: each["quantity"] for each in entries}
        return Answer(200, {}, {"data": {"inventorySetQuantities": {"userErrors": errors}}})


def stock_of(http: Warehouse) -> Any:
    return ShopifyStock(ShopifySettings.model_validate(SETTINGS), http)  # type: ignore[arg-type]


def test_variants_that_share_a_sku_all_get_the_quantity_and_calls_stay_small() -> None:
    http = Warehouse({f"S-{number}": [f"i{number}", f"j{number}"] for number in range(200)})
    told = stock_of(http).send_quantities({f"S-{number}": number for number in range(200)})
    assert told == dict.fromkeys(http.items)
    assert http.held == {id_: number for number in range(200) for id_ in (f"i{number}", f"j{number}")}
    assert http.calls == ["find-items"] * 4 + ["send-quantities"] * 2


def test_remembered_items_that_are_gone_are_looked_up_once_more() -> None:
    gone: set[str] = set()

    def refusal(entries: list[Any]) -> list[Any]:
        wrong = [place for place, each in enumerate(entries) if each["inventoryItemId"] in gone]
        path = ["input", "quantities"]
        return [{"code": "INVALID_INVENTORY_ITEM", "field": [*path, str(place), "inventoryItemId"]} for place in wrong]

    http = Warehouse({"A": ["1"], "B": ["2"]}, refusal)
    stock = stock_of(http)
    assert stock.send_quantities({"A": 1, "B": 1}) == {"A": None, "B": None}
    gone.update("12")
    http.items = {"A": ["3"]}
    told = stock.send_quantities({"A": 5, "B": 5})
    assert (told["A"], told["B"].code) == (None, "sku-not-listed")
    assert http.held["3"] == 5
    gone.add("3")
    http.items = {"A": ["3"]}
    assert stock.send_quantities({"A": 6})["A"].code == "sku-not-listed", "looked up anew once, not for ever"


@pytest.mark.parametrize("bad", [{"0"}, {"7", "77"}, {"199"}])
def test_a_refusal_that_names_nobody_spoils_nothing_for_the_others(bad: set[str]) -> None:
    def refusal(entries: list[Any]) -> list[Any]:
        wrong = any(each["inventoryItemId"] in bad for each in entries)
        return [{"code": None, "field": None, "message": "something is wrong"}] if wrong else []

    http = Warehouse({f"S-{number}": [str(number)] for number in range(200)}, refusal)
    told = stock_of(http).send_quantities({f"S-{number}": number for number in range(200)})
    assert {sku for sku, problem in told.items() if problem} == {f"S-{number}" for number in bad}
    assert http.held == {str(number): number for number in range(200) if str(number) not in bad}
    assert http.calls.count("send-quantities") < 36


def test_known_items_are_bounded_and_forget() -> None:
    known = KnownItems(seconds=60, most=2)
    known.learn({"a": ("1",), "b": ("2", "3"), "c": ("4",)})
    assert known.ids(["a", "b", "c", "d"]) == {"b": ("2", "3"), "c": ("4",)}
    known.forget(["b", "x"])
    assert known.ids(["b", "c"]) == {"c": ("4",)}
    old = KnownItems(seconds=0)
    old.learn({"a": ("1",)})
    assert old.ids(["a"]) == {}
