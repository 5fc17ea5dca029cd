"""Parcels reach the marketplace, each once, whatever happens to the calls: against the stand-ins, for real."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from shared.db.connect import Connection, connect
from shared.records import return_numbers
from shared.records.actions import retry
from shared.records.interfaces import save_mapping
from tests.support.exporting import Exporting, add, change_event, exporting, parcel
from tests.support.sandbox import Stand
from tests.support.spine import SLUG, assert_sound

pytestmark = pytest.mark.servers
START = datetime.now(UTC) - timedelta(hours=2)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        yield opened
        assert_sound(opened)


@pytest.fixture
def work(database_url: str, conn: Connection, stand: Stand) -> Iterator[Exporting]:
    add(conn, stand)
    with exporting(database_url, conn, stand) as found:
        yield found


def test_a_shipment_is_told_once_and_both_parts_are_done(work: Exporting, number: str) -> None:
    order = work.order()
    work.change(order, "shipped", parcel(number), erp_number="200001")
    row = work.until(order, "done")
    assert work.parts(order) == {"status": ("done", None), "tracking": ("done", None)}
    assert work.ledger(order) == {number: "confirmed"}
    assert work.shipped(order) == [number]
    assert work.units(order) == ["SENT", "SENT"]
    assert row["remote"]
    assert not row["intended"]


def test_parcels_that_come_one_by_one_are_each_told_once(work: Exporting, number: str) -> None:
    order = work.order("ABC-1", "ABC-2", units=4)
    first, second = parcel(f"{number}-a", ("ABC-1", 2)), parcel(f"{number}-b", ("ABC-2", 1))
    work.change(order, "partially_shipped", first, time=START)
    work.until(order, "done")
    assert work.units(order).count("SENT") == 2
    work.change(order, "partially_shipped", second, time=START + timedelta(minutes=1))
    work.until(order, "done")
    assert work.units(order).count("SENT") == 3
    work.change(order, "shipped", parcel(f"{number}-c"), time=START + timedelta(minutes=2))
    work.until(order, "done")
    assert work.units(order) == ["SENT"] * 4
    assert work.shipped(order) == [f"{number}-{name}" for name in "abc"]


def test_several_parcels_at_once_take_different_units(work: Exporting, number: str) -> None:
    order = work.order(units=3)
    work.change(order, "shipped", parcel(f"{number}-a", ("ABC-1", 1)), parcel(f"{number}-b", ("ABC-1", 2)))
    work.until(order, "done")
    assert work.shipped(order) == [f"{number}-a", f"{number}-b"]
    assert work.units(order) == ["SENT"] * 3


def test_a_late_parcel_of_an_older_event_is_told_as_well(work: Exporting, number: str) -> None:
    order = work.order(units=3)
    early = change_event(order, "partially_shipped", parcel(f"{number}-a", ("ABC-1", 1)), time=START)
    work.change(order, "shipped", parcel(f"{number}-b", ("ABC-1", 2)), time=START + timedelta(minutes=5))
    work.until(order, "done")
    work.take_in(early)
    work.until(order, "done", seconds=15)
    assert sorted(work.shipped(order)) == [f"{number}-a", f"{number}-b"]
    assert work.units(order) == ["SENT"] * 3


def test_asked_for_once_more_it_answers_that_it_is_there(work: Exporting, number: str) -> None:
    order = work.order()
    work.change(order, "shipped", parcel(number))
    row = work.until(order, "done")
    retry(work.conn, [row["id"]], "erika")
    work.bell.ring(SLUG)
    work.until(order, "done", "already-there")
    work.change(order, "completed", parcel(number))
    work.until(order, "done", "already-there")
    assert work.shipped(order) == [number]


def test_what_somebody_shipped_by_hand_is_there_already(work: Exporting, number: str) -> None:
    order = work.order()
    work.send_by_hand(order, parcel(number))
    work.change(order, "shipped", parcel(number))
    work.until(order, "done", "already-there")
    assert work.ledger(order) == {number: "confirmed"}
    assert work.shipped(order) == [number]


def test_nothing_left_to_ship_is_skipped(work: Exporting, number: str) -> None:
    order = work.order()
    work.send_by_hand(order, parcel(f"{number}-by-hand"))
    work.change(order, "shipped", parcel(number))
    work.until(order, "skipped", "nothing-left-to-ship")
    assert work.shipped(order) == [f"{number}-by-hand"]


# -- calls that go wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["timeout_after_success", "500_after_success", "truncated", "reset"])
def test_an_unknown_outcome_is_looked_up_and_not_doubled(
    work: Exporting, stand: Stand, number: str, fault: str
) -> None:
    order = work.order()
    stand.fault("otto", fault, "send-shipment")
    work.change(order, "shipped", parcel(number))
    row = work.until(order, "waiting")
    assert row["intended"]
    assert work.ledger(order) == {number: "intended"}
    assert work.parts(order)["tracking"][0] == "waiting"
    work.later(order)
    work.until(order, "done")
    assert work.shipped(order) == [number]


def test_accepted_and_not_applied_is_sent_again_after_a_look(work: Exporting, stand: Stand, number: str) -> None:
    order = work.order()
    stand.fault("otto", "accepted_not_applied", "send-shipment")
    work.change(order, "shipped", parcel(number))
    work.until(order, "waiting", "shipment-not-shown")
    assert work.shipped(order) == [number]
    work.later(order)
    work.until(order, "done")
    assert work.shipped(order) == [number]


def test_never_applied_is_tried_again_and_again_with_growing_pauses(work: Exporting, stand: Stand, number: str) -> None:
    order = work.order()
    stand.fault("otto", "accepted_not_applied", "send-shipment", times=3)
    work.change(order, "shipped", parcel(number))
    pauses = []
    for tries in (1, 2, 3):  # the first try was the sending itself; it waits for the look that shows it
        work.until_tries(order, tries)
        row = work.until(order, "waiting", "shipment-not-shown")
        pauses.append(row["due"])
        work.later(order)
    work.until(order, "done")
    assert pauses == sorted(pauses)
    assert work.shipped(order) == [number]


@pytest.mark.parametrize("fault", ["429_retry_after", "503", "401"])
def test_what_was_not_executed_is_simply_sent_later(work: Exporting, stand: Stand, number: str, fault: str) -> None:
    order = work.order()
    stand.fault("otto", fault, "send-shipment", times=2 if fault == "401" else 1)  # with a new token it tries at once
    work.change(order, "shipped", parcel(number))
    work.until(order, "waiting")
    assert work.shipped(order) == []
    work.later(order)
    work.until(order, "done")
    assert work.shipped(order) == [number]


@pytest.mark.parametrize("fault", ["422", "400"])
def test_what_the_marketplace_refuses_fails_and_is_sent_once_it_is_mended(
    work: Exporting, stand: Stand, number: str, fault: str
) -> None:
    order = work.order()
    stand.fault("otto", fault, "send-shipment")
    work.change(order, "shipped", parcel(number))
    row = work.until(order, "failed", "remote-refused")
    assert work.ledger(order) == {}
    assert work.parts(order) == {"status": ("failed", "remote-refused"), "tracking": ("failed", "remote-refused")}
    retry(work.conn, [row["id"]], "erika")
    work.bell.ring(SLUG)
    work.until(order, "done")
    assert work.shipped(order) == [number]


def test_a_conflict_is_looked_up_before_anything_is_sent_again(work: Exporting, stand: Stand, number: str) -> None:
    order = work.order(units=2)
    stand.fault("otto", "409", "send-shipment")
    work.change(order, "shipped", parcel(number))
    work.until(order, "waiting", "shipment-conflict")
    work.later(order)
    work.until(order, "done")
    assert work.shipped(order) == [number]


def test_a_marketplace_that_is_away_turns_nothing_red(work: Exporting, stand: Stand, number: str) -> None:
    order = work.order()
    stand.fault("otto", "503", times=1000)
    work.change(order, "shipped", parcel(number))
    work.until(order, "waiting", "remote-unavailable")
    assert work.parts(order)["tracking"] == ("waiting", "remote-unavailable")
    stand.clear("otto")
    work.later(order)
    work.until(order, "done")


# -- what stands against it ----------------------------------------------------------------------------------------


def test_an_unknown_carrier_is_named_and_goes_on_once_it_is_mapped(work: Exporting, number: str) -> None:
    order = work.order()
    work.change(order, "shipped", parcel(number, carrier="Brieftaube"))
    row = work.until(order, "failed", "carrier-unknown")
    assert row["reason"][0]["field"] == "shipments.0.carrier"
    assert work.shipped(order) == []
    save_mapping(work.conn, SLUG, "carrier", "Brieftaube", "DHL", "erika")
    work.bell.ring(SLUG)
    work.until(order, "done")
    assert work.shipped(order) == [number]


def test_a_parcel_that_fails_does_not_hold_up_its_neighbour(work: Exporting, number: str) -> None:
    order = work.order(units=2)
    bad = parcel(f"{number}-bad", ("ABC-1", 1), carrier="Brieftaube")
    work.change(order, "shipped", bad, parcel(f"{number}-good", ("ABC-1", 1)))
    row = work.until(order, "failed", "carrier-unknown")
    assert [one["code"] for one in row["reason"]] == ["carrier-unknown"]
    assert work.shipped(order) == [f"{number}-good"]


def test_return_numbers_come_from_the_pool_each_once_and_in_order(work: Exporting, number: str) -> None:
    return_numbers.add(work.conn, SLUG, "DHL", [f"P-{number}-{n}" for n in range(3)], "erika")
    orders = [work.order(units=1) for _ in range(2)]
    for n, order in enumerate(orders):
        work.change(order, "shipped", parcel(f"{number}-{n}", return_tracking_number=None))
        work.until(order, "done")
    given = work.conn.execute("SELECT number, shipment FROM return_numbers WHERE shipment IS NOT NULL ORDER BY no")
    assert given.fetchall() == [(f"P-{number}-{n}", f"{number}-{n}") for n in range(2)]
    assert return_numbers.count_free(work.conn, SLUG) == 1


def test_a_number_stays_with_its_shipment_however_often_that_is_sent(
    work: Exporting, stand: Stand, number: str
) -> None:
    return_numbers.add(work.conn, SLUG, "DHL", [f"P-{number}-{n}" for n in range(3)], "erika")
    order = work.order()
    stand.fault("otto", "429", "send-shipment")
    work.change(order, "shipped", parcel(number, return_tracking_number=None))
    work.until(order, "waiting")
    work.later(order)
    work.until(order, "done")
    assert return_numbers.count_free(work.conn, SLUG) == 2
    (sent,) = [each for each in stand.state("otto")["shipments"] if each["trackingKey"]["trackingNumber"] == number]
    assert {item["returnTrackingKey"]["trackingNumber"] for item in sent["positionItems"]} == {f"P-{number}-0"}


def test_an_empty_pool_fails_and_goes_on_once_it_is_filled(work: Exporting, number: str) -> None:
    order = work.order()
    work.change(order, "shipped", parcel(number, return_tracking_number=None))
    work.until(order, "failed", "return-number-missing")
    assert return_numbers.add(work.conn, SLUG, "DHL", [f"P-{number}", f"P-{number}"], "erika") == 1
    work.bell.ring(SLUG)
    work.until(order, "done")
    assert return_numbers.count_free(work.conn, SLUG) == 0


def test_more_than_the_order_has_open_is_a_remark_that_stays(work: Exporting, number: str) -> None:
    order = work.order(units=2)
    work.change(order, "shipped", parcel(number, ("ABC-1", 3)))
    row = work.until(order, "warning", "shipment-exceeds-order")
    retry(work.conn, [row["id"]], "erika")
    work.bell.ring(SLUG)
    work.until_seq(order, row["seq"] + 3)
    work.until(order, "warning", "shipment-exceeds-order")
    assert work.shipped(order) == [number]


def test_a_tracking_number_that_changes_afterwards_is_a_remark_and_no_second_parcel(
    work: Exporting, number: str
) -> None:
    order = work.order()
    work.change(order, "shipped", parcel(number), time=START)
    work.until(order, "done")
    changed = parcel(number) | {"tracking_number": f"{number}-new"}
    work.change(order, "shipped", changed, time=START + timedelta(minutes=1))
    row = work.until(order, "warning", "tracking-changed")
    assert row["reason"][0]["values"] == {"sent": number, "number": f"{number}-new"}
    assert work.shipped(order) == [number]


def test_another_number_of_the_erp_is_a_remark(work: Exporting, number: str) -> None:
    order = work.order()
    work.change(order, "shipped", parcel(number), erp_number="999")
    row = work.until(order, "warning", "erp-number-differs")
    assert row["reason"][0]["values"] == {"said": "999", "known": "200001"}
    assert work.shipped(order) == [number]


def test_an_order_the_marketplace_does_not_know_is_named(work: Exporting, number: str) -> None:
    order = work.order()
    body = "replace(encode(body, 'escape'), '\"marketplace_id\": \"', '\"marketplace_id\": \"x')::bytea"
    work.conn.execute(f"UPDATE payloads SET body = {body}")
    work.change(order, "shipped", parcel(number))
    work.until(order, "failed", "order-not-there")
