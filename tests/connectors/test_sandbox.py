"""The control side of the stand-ins, and how awkward they are."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from shared.connectors.registry import discover
from shared.events.orders import Order
from tests.connectors.conftest import Opened, opened
from tests.support.sandbox import Stand, sandbox

pytestmark = pytest.mark.servers


def draft(side: Opened, number: str) -> Any:
    good = json.loads((side.samples / "order-good.json").read_text(encoding="utf-8"))["order"]
    return side.sink.draft(Order.model_validate({**good, "number": number}), side.mappings)


def test_the_erp_takes_the_same_number_twice_and_its_search_lags(stand: Stand) -> None:
    with opened(discover()["xentral"], stand) as side:
        stand.settings("xentral", search_lag=2)
        started = time.monotonic()
        ids = {side.sink.create_order(draft(side, "twice")).id for _ in range(2)}
        assert len(ids) == 2
        if time.monotonic() - started < 1.5:
            assert side.sink.find_orders(["twice"]) == {}
        stand.settings("xentral", search_lag=0)
        assert {hit.id for hit in side.sink.find_orders(["twice"])["twice"]} == ids
        held = [order for order in stand.state("xentral")["salesOrders"] if order["externalOrderNumber"] == "twice"]
        assert [order["status"] for order in held] == ["released", "released"]
        stand.settings("xentral", search_lag=2)


def test_only_orders_of_our_own_channel_count(stand: Stand) -> None:
    stand.settings("xentral", search_lag=0)
    with opened(discover()["xentral"], stand) as side:
        other = draft(side, "shared-number")
        other.document["salesChannel"]["id"] = "5"
        side.sink.create_order(other)
        assert side.sink.find_orders(["shared-number"]) == {}
        ours = side.sink.create_order(draft(side, "shared-number"))
        assert [hit.id for hit in side.sink.find_orders(["shared-number"])["shared-number"]] == [ours.id]
        assert httpx2.get(ours.url).status_code == 200


def test_more_than_a_page_of_hits_is_read_to_its_end(stand: Stand) -> None:
    stand.settings("xentral", search_lag=0)
    with opened(discover()["xentral"], stand) as side:
        for _ in range(51):
            side.sink.create_order(draft(side, "fifty-one"))
        assert len(side.sink.find_orders(["fifty-one"])["fifty-one"]) == 51


def test_calls_are_counted_and_faults_listed_and_cleared(stand: Stand) -> None:
    address = f"{stand.addresses['xentral']}/_sandbox"
    httpx2.delete(f"{address}/calls")
    with opened(discover()["xentral"], stand) as side:
        side.sink.ping()
        side.sink.find_products(["ABC-1"])
    assert stand.calls("xentral") == {"find-orders": 1, "find-products": 1}
    stand.fault("xentral", "500", operation="create_order", times=3)
    assert httpx2.get(f"{address}/faults").json()["faults"] == [
        {"operation": "create-order", "fault": "500", "times": 3}
    ]
    assert httpx2.post(f"{address}/faults", json={"clear": True}).json() == {"faults": []}


@pytest.mark.parametrize("wish", [{"fault": "nonsense"}, {"operation": "nonsense", "fault": "500"}])
@pytest.mark.parametrize("key", discover())
def test_a_fault_that_nobody_knows_is_refused(stand: Stand, key: str, wish: dict[str, Any]) -> None:
    answer = httpx2.post(f"{stand.addresses[key]}/_sandbox/faults", json=wish)
    assert answer.status_code == 422
    assert "there are" in answer.json()["detail"]


def test_orders_are_placed_with_the_numbers_skus_and_defects_asked_for(stand: Stand) -> None:
    numbers = stand.place(
        "otto", 2, "missing-tax", "unmapped-payment", numbers=["77001", "77002"], skus=["ABC-1", "ABC-2"]
    )
    assert numbers == ["77001", "77002"]
    with opened(discover()["otto"], stand) as side:
        order = side.source.read_orders(["77001"])["77001"].order
    assert {line.sku for line in order.lines} == {"ABC-1", "ABC-2"}
    assert None in {line.tax_rate for line in order.lines}
    assert order.payment.method == "PAYPAL"
    again = httpx2.post(f"{stand.addresses['otto']}/_sandbox/orders", json={"numbers": ["77001"]})
    assert again.status_code == 422


def test_an_announced_order_is_released_once_it_is_paid(stand: Stand) -> None:
    (number,) = stand.place("otto", 1, "announced")
    with opened(discover()["otto"], stand) as side:
        before = side.source.read_orders([number])[number].order
        httpx2.post(f"{stand.addresses['otto']}/_sandbox/orders/{number}/release")
        after = side.source.read_orders([number])[number].order
    assert (before.status, before.shipping_address) == ("announced", None)
    assert after.status == "open"
    assert after.billing_address


def test_demo_orders_keep_coming_and_a_stop_is_prompt(tmp_path: Path) -> None:
    with sandbox(tmp_path, None, "--place-every", "0.05") as own:
        ends = time.monotonic() + 20
        while len(own.state("otto")["orders"]) < 8:
            assert time.monotonic() < ends
        started = time.monotonic()
        own.process.terminate()
        assert own.process.wait(10) == 0
        assert time.monotonic() - started < 5


def test_both_sides_know_the_same_goods(stand: Stand) -> None:
    listed = {product["sku"] for product in stand.state("otto")["products"]}
    known = {product["sku"] for product in stand.state("xentral")["products"]}
    assert {"ABC-1", "Hose DN10/2", "Mütze-grün-1"} <= known
    assert all(sku.startswith("NEW-0815-") for sku in listed - known)


def test_a_token_is_fetched_once_for_all_threads_and_renewed_when_it_is_lost(tmp_path: Path) -> None:
    with sandbox(tmp_path) as first:
        number = first.place("otto", 1)[0]
        port = int(first.addresses["otto"].rpartition(":")[2])
        with opened(discover()["otto"], first) as side:
            with ThreadPoolExecutor(8) as threads:
                assert all(threads.map(lambda _: side.source.read_orders([number]), range(40)))
            assert first.calls("otto") == {"token": 1, "read-order": 40}
            first.kill()
            with sandbox(tmp_path, {"otto": port}) as second:
                assert side.source.read_orders([number])[number].order.number == number
                assert second.calls("otto") == {"token": 1, "read-order": 2}
