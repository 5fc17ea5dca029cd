"""An order is created in the ERP once, and whatever stands against that is named: against the stand-ins, for real."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from shared.db.connect import Connection, connect
from shared.records.actions import retry
from shared.records.by_hand import mark_done_by_hand
from shared.records.interfaces import save_mapping
from tests.support.creating import Creating, add, creating
from tests.support.sandbox import Stand
from tests.support.spine import SLUG, assert_sound, codes, event, record
from tests.support.waiting import until

pytestmark = pytest.mark.servers
START = datetime.now(UTC) - timedelta(hours=2)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        yield opened
        assert_sound(opened)


@pytest.fixture
def work(database_url: str, conn: Connection, stand: Stand) -> Iterator[Creating]:
    add(conn, stand)
    with creating(database_url, conn, stand) as found:
        yield found


def only(work: Creating, number: str) -> dict[str, object]:
    (found,) = work.erp_orders(number)
    return found


def test_an_order_is_created_once_and_linked(work: Creating, number: str) -> None:
    body = event(number, time=START)
    work.take_in(body, body)
    row = work.until(number, "done")
    assert row["remote"] == str(only(work, number)["id"])
    assert (row["sent_no"], row["reason"]) == (1, None)


@pytest.mark.parametrize("times", [1, 2])
def test_a_retry_of_what_is_done_creates_nothing_more(work: Creating, stand: Stand, number: str, times: int) -> None:
    stand.settings("xentral", search_lag=0.25)  # the look-up does not show at once what was created
    work.take_in(event(number))
    row = work.until(number, "done")
    for _ in range(times):
        retry(work.conn, [row["id"]], "erika")
        work.bell.ring(SLUG)
        work.until(number, "done")
    assert only(work, number)["id"]


@pytest.mark.parametrize("fault", ["timeout_after_success", "500_after_success", "truncated", "reset"])
def test_an_unknown_outcome_is_looked_up_and_not_doubled(work: Creating, stand: Stand, number: str, fault: str) -> None:
    stand.fault("xentral", fault, "create-order")
    work.take_in(event(number))
    row = work.until(number, "waiting")
    assert row["intended"]
    assert row["due"] > 2.0
    work.later(number)
    row = work.until(number, "done")
    assert row["remote"] == str(only(work, number)["id"])


def test_a_change_after_an_unknown_outcome_is_named_and_not_sent(work: Creating, stand: Stand, number: str) -> None:
    stand.fault("xentral", "500_after_success", "create-order")
    work.take_in(event(number, time=START))
    work.until(number, "waiting")
    work.take_in(event(number, time=START + timedelta(minutes=1), customer={"email": "new@example.org"}))
    row = work.until(number, "warning", "changed-after-import")
    assert "customer" in row["reason"][0]["values"]["fields"]
    assert row["remote"] == str(only(work, number)["id"])


def test_a_change_after_an_outcome_that_was_a_failure_is_sent(work: Creating, stand: Stand, number: str) -> None:
    stand.fault("xentral", "500", "create-order")
    work.take_in(event(number, time=START))
    work.until(number, "waiting")
    work.take_in(event(number, time=START + timedelta(minutes=1), total="45.00"))
    row = work.until(number, "warning", "total-differs")
    assert (row["sent_no"], row["remote"]) == (2, str(only(work, number)["id"]))


def test_what_somebody_else_created_is_linked_and_skipped(work: Creating, number: str) -> None:
    theirs = work.create_by_hand(number)
    work.take_in(event(number))
    row = work.until(number, "skipped", "already-in-erp")
    assert row["remote"] == theirs.id == str(only(work, number)["id"])


def test_our_number_for_another_order_fails(work: Creating, number: str) -> None:
    work.create_by_hand(number, marketplace_id="somebody-else")
    work.take_in(event(number))
    work.until(number, "failed", "number-taken")
    assert only(work, number)["externalOrderId"] == "somebody-else"


def test_an_order_of_another_shop_does_not_count_even_for_the_first_order(work: Creating, number: str) -> None:
    work.create_by_hand(number, channel="5", marketplace_id="of-another-shop")
    work.take_in(event(number))
    work.until(number, "done")
    assert len(work.erp_orders(number)) == 2


def test_a_double_order_fails_and_names_both(work: Creating, stand: Stand, number: str) -> None:
    stand.fault("xentral", "500_after_success", "create-order")
    work.take_in(event(number))
    work.until(number, "waiting")
    second = work.create_by_hand(number)
    work.later(number)
    row = work.until(number, "failed", "double-order")
    assert second.id in row["reason"][0]["values"]["ids"]
    assert len(work.erp_orders(number)) == 2


# -- mistakes ------------------------------------------------------------------------------------------------------


def test_all_mistakes_are_named_at_once_and_each_that_is_mended_is_noticed(
    work: Creating, stand: Stand, number: str
) -> None:
    sku = f"NEW-{number}"
    line = {"id": "1", "sku": sku, "title": "New", "quantity": 2, "unit_price": "19.99", "tax_rate": "7.00"}
    work.take_in(event(number, lines=[line], payment={"method": "PAYPAL"}))
    row = work.until(number, "failed")
    assert {problem["code"] for problem in row["reason"]} == {"payment-unmapped", "sku-unknown", "tax-unmapped"}
    assert work.erp_orders(number) == []
    save_mapping(work.conn, SLUG, "payment", "PAYPAL", "7", "erika")
    work.bell.ring(SLUG)

    def left(*codes_: str) -> bool:
        row = record(work.conn, number)
        return row["state"] == "failed" and {p["code"] for p in row["reason"]} == set(codes_)

    until(lambda: left("sku-unknown", "tax-unmapped"), "the payment is mapped")
    save_mapping(work.conn, SLUG, "tax", "7", "reduced", "erika")
    work.bell.ring(SLUG)
    until(lambda: left("sku-unknown"), "the tax is mapped, whatever its spelling")
    stand.products("xentral", sku)
    work.conn.execute("UPDATE keys SET probe_at = now()")
    work.until(number, "done")
    assert only(work, number)["id"]
    assert codes(work.conn, number).count("key-came-true") == 3


def test_a_bad_order_does_not_hold_up_its_neighbours(work: Creating, number: str) -> None:
    bad = event(f"{number}-bad", billing_address=None)
    work.take_in(*(event(f"{number}-{n}") for n in range(5)), bad)
    for n in range(5):
        work.until(f"{number}-{n}", "done")
    work.until(f"{number}-bad", "failed", "billing-address-missing")


def test_a_total_that_differs_is_a_remark_however_the_result_was_learned(
    work: Creating, stand: Stand, number: str
) -> None:
    stand.fault("xentral", "500_after_success", "create-order")
    work.take_in(event(f"{number}-a", total="44.89"))
    work.until(f"{number}-a", "waiting")
    work.take_in(event(f"{number}-b", total="44.89"))
    work.until(f"{number}-b", "warning", "total-differs")
    work.later(f"{number}-a")
    work.until(f"{number}-a", "warning", "total-differs")


# -- done by hand -----------------------------------------------------------------------------------------------------


def test_an_order_done_by_hand_is_never_created_whoever_retries_it(work: Creating, number: str) -> None:
    work.take_in(event(number, billing_address=None, time=START))
    row = work.until(number, "failed", "billing-address-missing")
    said = mark_done_by_hand(work.conn, row["id"], "4000", "erika")
    assert said is not None
    assert said.done
    for _ in range(2):
        retry(work.conn, [row["id"]], "erika")
        work.bell.ring(SLUG)
        assert work.until(number, "done")["remote"] == "4000"
    work.take_in(event(number, time=START + timedelta(minutes=1), total="45.00"))
    assert work.until(number, "done")["remote"] == "4000"
    assert work.erp_orders(number) == []


# -- calls -------------------------------------------------------------------------------------------------------------


def test_a_backlog_costs_few_look_ups_and_never_too_many_calls_at_once(
    work: Creating, stand: Stand, number: str
) -> None:
    stand.count_anew("xentral")
    stand.settings("xentral", latency=0.05)
    try:
        numbers = [f"{number}-{n:03}" for n in range(120)]
        work.take_in(*(event(one) for one in numbers))
        for one in numbers:
            work.until(one, "done")
    finally:
        stand.settings("xentral", latency=0)
    calls = stand.calls("xentral")
    assert calls["create-order"] == 120
    assert calls["find-orders"] <= 10, "24 numbers in each where eight calls are allowed at once"
    assert calls.get("find-products", 0) <= 2, "articles are remembered"
    assert 4 <= stand.most_at_once("xentral") <= 8


# -- the ERP is away -----------------------------------------------------------------------------------------------


def test_an_erp_that_is_away_turns_nothing_red_and_all_goes_on_when_it_is_back(
    work: Creating, stand: Stand, number: str
) -> None:
    stand.fault("xentral", "503", times=100_000)
    numbers = [f"{number}-{n:02}" for n in range(40)]
    work.take_in(*(event(one) for one in numbers))
    until(
        lambda: work.conn.execute("SELECT 1 FROM side_states WHERE side = 'erp' AND breaker <> 'closed'").fetchone(),
        "the breaker opens",
    )
    until(lambda: not work.conn.execute("SELECT 1 FROM records WHERE state = 'running'").fetchone(), "calls end")
    found = {row[0] for row in work.conn.execute("SELECT state FROM records WHERE flow = 'order-import'").fetchall()}
    assert found <= {"pending", "waiting"}
    stand.clear("xentral")
    work.conn.execute("UPDATE side_states SET retry_at = now() WHERE breaker <> 'closed'")
    for one in numbers:
        work.until(one, "done")
    assert all(len(work.erp_orders(one)) == 1 for one in numbers)
