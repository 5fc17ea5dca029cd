"""An order is created in the ERP once, and whatever stands against that is named: against the stand-ins, for real."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from shared.db.connect import Connection, connect
from shared.records.actions import retry
from shared.records.interfaces import save_mapping
from tests.support.creating import Creating, add, creating
from tests.support.sandbox import Stand, sandbox
from tests.support.spine import SLUG, assert_sound, codes, event, record
from tests.support.waiting import until

pytestmark = pytest.mark.servers
START = datetime.now(UTC) - timedelta(hours=2)


@pytest.fixture(scope="module")
def running_stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        running.settings("xentral", search_lag=0.0)
        yield running


@pytest.fixture
def stand(running_stand: Stand) -> Iterator[Stand]:
    yield running_stand
    for key in running_stand.addresses:
        running_stand.clear(key)
    running_stand.settings("xentral", search_lag=0.0)


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


@pytest.fixture
def number() -> str:
    return f"n-{uuid.uuid4().hex[:12]}"


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


# -- what the shop does meanwhile ----------------------------------------------------------------------------------


def test_cancelled_before_the_import_it_is_skipped(work: Creating, number: str) -> None:
    work.take_in(event(number, status="cancelled"))
    work.until(number, "skipped", "cancelled-before-import")
    assert work.erp_orders(number) == []


def test_cancelled_after_the_import_it_is_cancelled_in_the_erp(work: Creating, number: str) -> None:
    work.take_in(event(number, time=START))
    work.until(number, "done")
    work.take_in(event(number, time=START + timedelta(minutes=1), status="cancelled"))
    work.until(number, "done", "cancelled-in-erp")
    assert only(work, number)["status"] == "canceled"


def test_cancelled_after_an_unknown_outcome_it_is_cancelled_in_the_erp(
    work: Creating, stand: Stand, number: str
) -> None:
    stand.fault("xentral", "500_after_success", "create-order")
    work.take_in(event(number, time=START))
    work.until(number, "waiting")
    work.take_in(event(number, time=START + timedelta(minutes=1), status="cancelled"))
    work.until(number, "done", "cancelled-in-erp")
    assert only(work, number)["status"] == "canceled"


def test_a_cancellation_that_the_erp_refuses_fails_visibly(work: Creating, stand: Stand, number: str) -> None:
    work.take_in(event(number, time=START))
    work.until(number, "done")
    stand.settings("xentral", strict_cancel=1.0)
    try:
        work.take_in(event(number, time=START + timedelta(minutes=1), status="cancelled"))
        work.until(number, "failed", "cancel-refused")
    finally:
        stand.settings("xentral", strict_cancel=0.0)


def test_changed_after_the_import_it_is_a_remark_with_the_fields(work: Creating, number: str) -> None:
    work.take_in(event(number, time=START))
    work.until(number, "done")
    line = {"id": "1", "sku": "ABC-1", "title": "Shirt", "quantity": 3, "unit_price": "19.99", "tax_rate": "19.0"}
    work.take_in(event(number, time=START + timedelta(minutes=1), version=2, lines=[line]))
    row = work.until(number, "warning", "changed-after-import")
    assert row["reason"][0]["values"]["fields"] == "lines.0.quantity"
    assert len(work.erp_orders(number)) == 1


def test_changed_while_it_runs_it_is_created_once_and_the_change_named(
    work: Creating, stand: Stand, number: str
) -> None:
    stand.settings("xentral", latency=0.4)
    try:
        work.take_in(event(number, time=START))
        work.until(number, "running")
        work.take_in(event(number, time=START + timedelta(minutes=1), customer={"email": "new@example.org"}))
        work.until(number, "warning", "changed-after-import")
    finally:
        stand.settings("xentral", latency=0.0)
    assert len(work.erp_orders(number)) == 1


# -- what waited long is read again --------------------------------------------------------------------------------


def old(work: Creating, number: str) -> None:
    """It was staged an hour ago, and now it is its turn."""
    work.conn.execute("UPDATE payloads SET received_at = now() - interval '1 hour'")
    work.conn.execute("UPDATE interfaces SET mode = 'live', revision = revision + 1")
    work.bell.ring(SLUG)


def paused(work: Creating) -> None:
    work.conn.execute("UPDATE interfaces SET mode = 'paused', revision = revision + 1")
    until(lambda: not work.runs(), "the worker has seen that the interface is paused")


def test_what_the_marketplace_does_not_know_goes_on_with_a_remark(work: Creating, number: str) -> None:
    paused(work)
    work.take_in(event(number))
    old(work, number)
    work.until(number, "warning", "order-gone")
    assert len(work.erp_orders(number)) == 1


def test_what_was_cancelled_meanwhile_is_not_created(work: Creating, stand: Stand) -> None:
    paused(work)
    (number,) = stand.place("otto", 1, skus=["ABC-1"])
    work.take_in(event(number, time=START))
    stand.cancel("otto", number)
    old(work, number)
    work.until(number, "skipped", "cancelled-before-import")
    assert record(work.conn, number)["payload_no"] == 2
    assert work.erp_orders(number) == []


def test_what_changed_meanwhile_is_created_as_it_is_now(work: Creating, stand: Stand) -> None:
    paused(work)
    (number,) = stand.place("otto", 1, skus=["ABC-1"])
    work.take_in(event(number, time=START, customer={"email": "old@example.org"}))
    old(work, number)
    row = work.until(number, "done")
    assert (row["payload_no"], row["sent_no"]) == (2, 2)
    assert "old@example.org" not in str(only(work, number))


def test_a_marketplace_that_is_away_stops_only_what_must_be_read_again(
    work: Creating, stand: Stand, number: str
) -> None:
    paused(work)
    numbers = [f"{number}-{n}" for n in range(6)]
    work.take_in(*(event(one) for one in numbers))
    stand.fault("otto", "500", times=1000)
    old(work, number)
    for one in numbers:
        row = work.until(one, "waiting", "remote-unavailable")
        assert row["reason"][0]["values"]["system"] == "OTTO Market"
    work.take_in(event(f"{number}-fresh"))
    work.until(f"{number}-fresh", "done")
    assert work.conn.execute("SELECT breaker FROM side_states WHERE side = 'erp'").fetchone() == ("closed",)
    stand.clear("otto")
    work.later(numbers[0])
    work.until(numbers[0], "warning", "order-gone")


def test_an_announced_order_is_read_again_and_created_once_it_is_paid(work: Creating, stand: Stand) -> None:
    (number,) = stand.place("otto", 1, "announced", skus=["ABC-1"])
    work.take_in(event(number, time=START, status="announced", billing_address=None, shipping_address=None))
    assert record(work.conn, number)["state"] == "pending"
    work.later(number)
    until(lambda: record(work.conn, number)["due"] > 20_000 and record(work.conn, number)["claim_no"] == 1, "held")
    assert work.erp_orders(number) == []
    stand.release("otto", number)
    work.later(number)
    work.until(number, "done")
    assert len(work.erp_orders(number)) == 1


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
    found = {row[0] for row in work.conn.execute("SELECT state FROM records").fetchall()}
    assert found <= {"pending", "waiting"}
    stand.clear("xentral")
    work.conn.execute("UPDATE side_states SET retry_at = now() WHERE breaker <> 'closed'")
    for one in numbers:
        work.until(one, "done")
    assert all(len(work.erp_orders(one)) == 1 for one in numbers)
