"""That no order is lost although the shop has no list of what changed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.connectors.contract import Reason, RemoteError
from shared.connectors.vendure import sweep
from shared.connectors.vendure.calls import stamp
from shared.connectors.vendure.client import VendureOrders
from shared.connectors.vendure.sandbox_lists import listed
from shared.connectors.vendure.sandbox_orders import transition
from tests.support.vendure_stand import InProcess

START = datetime(2026, 11, 1, tzinfo=UTC)
STATES = ("PaymentSettled", "PaymentAuthorized", "Shipped", "Delivered", "Cancelled", "Modifying")
LOOK_BACK = timedelta(hours=10)


def order(number: int, placed: int, changed: int | None, state: str) -> dict[str, Any]:
    """One that was placed so many hours after the start, and changed its state so many hours after that."""
    when = stamp(START + timedelta(hours=placed))
    history = [] if changed is None else [{"createdAt": stamp(START + timedelta(hours=placed + changed))}]
    held = {"id": str(number), "type": "Regular", "state": state, "orderPlacedAt": when, "updatedAt": when}
    return {**held, "history": {"items": history}}


def pages(orders: list[dict[str, Any]]) -> Any:
    def page(options: Mapping[str, Any]) -> Any:
        return listed(orders, options, dict)["items"]

    return page


def told(orders: list[dict[str, Any]], since: datetime, *clock: float) -> list[str]:
    found = sweep.changed_since(pages(orders), since, LOOK_BACK, iter(clock or (0.0, 1.0)).__next__)
    return [number for _, number in found]


ORDERS = st.lists(st.tuples(st.integers(0, 40), st.none() | st.integers(0, 40), st.sampled_from(STATES)), max_size=25)


@given(ORDERS, st.integers(0, 60))
def test_everything_that_changed_is_told_oldest_first(drawn: Any, hour: int) -> None:
    orders = [order(number, *facts) for number, facts in enumerate(drawn)]
    random.shuffle(orders)
    since = START + timedelta(hours=hour)
    expected = {
        str(number)
        for number, (placed, changed, state) in enumerate(drawn)
        # Of those that have ended long ago only a watch within the days to look back is promised.
        if placed + (changed or 0) >= hour and (state not in sweep.ENDED or placed > hour - 10 or placed >= hour)
    }
    usual, sweep.PAGE = sweep.PAGE, 3
    try:
        found = sweep.changed_since(pages(orders), since, LOOK_BACK)
    finally:
        sweep.PAGE = usual
    assert found == sorted(found)
    assert {number for _, number in found} == expected
    assert len(found) == len(expected)


def test_an_order_that_leaves_the_selection_pushes_no_other_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "PAGE", 2)
    since = START + timedelta(days=30)
    orders = [order(number, number, 24 * 40, "PaymentSettled") for number in range(6)]

    def page(options: Mapping[str, Any]) -> Any:
        items = listed(orders, options, dict)["items"]
        orders[0]["state"] = "Delivered"  # placed too long ago to be watched any longer
        return items

    found = [number for _, number in sweep.changed_since(page, since, LOOK_BACK)]
    assert sorted(found) == ["0", "1", "2", "3", "4", "5"]


def test_what_changes_while_a_long_sweep_goes_on_is_left_to_the_next() -> None:
    orders = [order(1, 1, 0, "PaymentSettled"), order(2, 1, 1, "PaymentSettled"), order(3, 1, 2, "PaymentSettled")]
    assert told(orders, START) == ["1", "2", "3"]
    assert told(orders, START, 0.0, 3600.0) == ["1", "2"]
    assert told(orders, START, 0.0, 3601.0) == ["1"]
    assert told([], START, 0.0, 3601.0) == []


def test_the_parts_of_a_shared_order_are_told_and_the_whole_is_not() -> None:
    parts = [order(number, 1, None, "PaymentSettled") for number in range(3)]
    parts[0]["type"], parts[1]["type"] = "Aggregate", "Seller"
    assert told(parts, START) == ["1", "2"]


def test_pages_that_repeat_themselves_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "PAGE", 2)
    same = [order(number, 1, None, "PaymentSettled") for number in range(2)]
    with pytest.raises(RemoteError, match="repeat") as caught:
        sweep.changed_since(lambda _: same, START, LOOK_BACK)
    assert caught.value.reason is Reason.BROKEN_ANSWER


def test_an_order_that_changes_before_it_is_read_is_told_by_the_next_sweep(tmp_path: Path) -> None:
    http = InProcess(tmp_path)
    http.products("A")
    first, second = http.market.place(1, ago=60) + http.market.place(1, ago=50)
    source = VendureOrders(http.settings, http)  # type: ignore[arg-type]

    def meanwhile(operation: str) -> None:
        if operation == "read-orders":
            with http.store.keeping():
                held = http.store.order(first)
                assert held is not None
                transition(held, "Modifying")
                http.before = lambda _: None

    http.before = meanwhile
    since = datetime.now(UTC) - timedelta(minutes=5)
    (page,) = source.orders_changed(since)
    assert [each.order.number for each in page] == [second]
    mark = page[0].changed_at
    again = [each.order for page in source.orders_changed(mark) for each in page]
    assert [(each.number, each.status) for each in again] == [(second, "open"), (first, "announced")]
