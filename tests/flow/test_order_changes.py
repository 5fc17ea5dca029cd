"""What the shop does after an order came in: cancelled, changed, announced, or simply too long ago."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from shared.db.connect import Connection, connect
from shared.records.actions import retry
from tests.support.creating import Creating, add, creating
from tests.support.sandbox import Stand
from tests.support.spine import SLUG, assert_sound, event, record
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
    more = {"lines": [line], "currency": "CHF"}
    work.take_in(event(number, time=START + timedelta(minutes=2), version=3, **more))
    both = "currency, lines.0.quantity"  # the ERP has the first copy still, whatever was remarked upon since
    until(lambda: work.until(number, "warning")["reason"][0]["values"]["fields"] == both, f"the remark names {both}")
    assert len(work.erp_orders(number)) == 1


def test_a_remark_outlives_another_look(work: Creating, number: str) -> None:
    """The ERP has the first copy still, however often the order is looked at, and whatever comes after."""
    work.take_in(event(number, time=START))
    work.until(number, "done")
    changed = {"customer": {"email": "new@example.org"}}
    work.take_in(event(number, time=START + timedelta(minutes=1), version=2, **changed))
    first = work.until(number, "warning", "changed-after-import")
    retry(work.conn, [first["id"]], "tests")
    work.bell.ring(SLUG)
    again = work.until(number, "warning", "changed-after-import", after=first["seq"])
    assert again["reason"] == first["reason"]
    work.take_in(event(number, time=START + timedelta(minutes=2), version=3, total="44.89", **changed))
    last = work.until(number, "warning", "changed-after-import", after=again["seq"])
    fields = [set(row["reason"][0]["values"]["fields"].split(", ")) for row in (first, last)]
    assert fields[0] < fields[1], "all that differs from what the ERP has, not only what changed last"
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
