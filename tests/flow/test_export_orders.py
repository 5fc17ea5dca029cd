"""An export finds its order, or waits for it; what is not a parcel; exports that a person asks for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from services.exporter.asked import changes_by_number
from shared.connectors.open import open_status_source
from shared.db.connect import Connection, connect
from shared.records.actions import request, retry
from shared.records.by_hand import mark_done_by_hand
from shared.records.go_live import go_live
from shared.records.keys import raise_told
from shared.records.states import State
from shared.runtime.receipts import Receipts
from tests.support.exporting import Exporting, add, exporting, parcel
from tests.support.sandbox import Stand
from tests.support.spine import SLUG, assert_sound, nothing
from tests.support.waiting import until

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


def import_id(work: Exporting, order: str) -> int:
    row = work.conn.execute("SELECT id FROM records WHERE flow = 'order-import' AND key = %s", (order,)).fetchone()
    assert row is not None
    return int(row[0])


def age(work: Exporting, order: str, days: float) -> None:
    """The staged copy came so many days ago."""
    work.conn.execute(
        "UPDATE payloads SET received_at = now() - make_interval(secs => %s) WHERE record_id = %s",
        (days * 86400, work.record(order)["id"]),
    )
    work.later(order)


# -- its order -----------------------------------------------------------------------------------------------------


def test_an_export_that_comes_first_waits_and_goes_on_when_its_order_is_imported(work: Exporting, number: str) -> None:
    order = work.order(imported="")
    work.change(order, "shipped", parcel(number))
    work.until(order, "waiting", "order-awaited")
    assert work.parts(order) == {"status": ("waiting", "order-awaited"), "tracking": ("waiting", "order-awaited")}
    work.imports(order)
    raise_told(work.conn, [(SLUG, f"order:{order}")])  # as the importer's stage does when it settles
    work.bell.ring(SLUG)
    work.until(order, "done")
    assert work.shipped(order) == [number]


def test_an_import_that_nobody_told_of_is_noticed_by_looking(work: Exporting, number: str) -> None:
    order = work.order(imported="failed")
    work.change(order, "shipped", parcel(number))
    work.until(order, "waiting", "order-awaited")
    work.conn.execute(
        "WITH u AS (UPDATE records SET state = 'done', seq = seq + 1 WHERE id = %s RETURNING id, seq, stage)"
        " INSERT INTO transitions(record_id, seq, stage, from_state, to_state)"
        " SELECT id, seq, stage, 'failed', 'done' FROM u",
        (import_id(work, order),),
    )
    work.conn.execute("UPDATE keys SET probe_at = now()")
    work.until(order, "done")


@pytest.mark.parametrize("state", ["done", "warning", "skipped"])
def test_however_the_import_ended_well_the_export_goes_on(work: Exporting, number: str, state: str) -> None:
    order = work.order(imported=state)
    work.change(order, "shipped", parcel(number))
    work.until(order, "done")


def test_an_order_that_only_the_marketplace_knows_fails_after_five_days(work: Exporting, number: str) -> None:
    order = work.order(imported="")
    work.change(order, "shipped", parcel(number))
    work.until(order, "waiting", "order-awaited")
    age(work, order, 4.9)
    until(lambda: work.record(order)["claim_no"] == 2 or None, "it looked")
    row = work.until(order, "waiting", "order-awaited")
    assert row["due"] < 3700
    age(work, order, 5.1)
    work.until(order, "failed", "order-unknown")
    work.imports(order)
    raise_told(work.conn, [(SLUG, f"order:{order}")])
    work.bell.ring(SLUG)
    work.until(order, "done")
    assert work.shipped(order) == [number]


def test_an_order_from_before_the_go_live_is_told_only_if_a_person_wants_it(work: Exporting, number: str) -> None:
    go_live(work.conn, SLUG, "erika", from_date=START)
    order = work.order(imported="skipped")
    work.conn.execute(
        "UPDATE records SET code = 'older-than-go-live' WHERE flow = 'order-import' AND key = %s", (order,)
    )
    work.change(order, "shipped", parcel(number))
    work.until(order, "skipped", "older-than-go-live")
    assert work.shipped(order) == []
    retry(work.conn, [work.record(order)["id"]], "erika")
    work.bell.ring(SLUG)
    work.until(order, "done")
    assert work.shipped(order) == [number]


def test_an_order_that_nobody_knows_is_skipped_after_five_days(work: Exporting, number: str) -> None:
    work.change(number, "shipped", parcel(number))
    work.until(number, "waiting", "order-awaited")
    age(work, number, 5.1)
    work.until(number, "skipped", "order-unknown")


def test_a_marketplace_that_is_away_does_not_end_the_waiting(work: Exporting, stand: Stand, number: str) -> None:
    work.change(number, "shipped", parcel(number))
    work.until(number, "waiting", "order-awaited")
    stand.fault("otto", "503", times=100)
    age(work, number, 5.1)
    until(lambda: work.record(number)["claim_no"] == 2 or None, "it looked")
    work.until(number, "waiting", "order-awaited")


def test_done_by_hand_releases_the_exports_of_an_order(work: Exporting, number: str) -> None:
    order = work.order(imported="failed")
    work.change(order, "shipped", parcel(number), erp_number="4000")
    work.until(order, "waiting", "order-awaited")
    said = mark_done_by_hand(work.conn, import_id(work, order), " 4000 ", "erika")
    assert said is not None
    assert (said.done, said.state, said.released) == (True, State.FAILED, 1)
    work.bell.ring(SLUG)
    work.until(order, "done")
    assert work.shipped(order) == [number]
    row = work.conn.execute(
        "SELECT state, remote, code, due_at FROM records WHERE id = %s", (import_id(work, order),)
    ).fetchone()
    assert row == ("done", "4000", "done-by-hand", None)
    again = mark_done_by_hand(work.conn, import_id(work, order), "4001", "erika")
    assert again is not None
    assert (again.done, again.state) == (False, State.DONE)


# -- what is not a parcel ------------------------------------------------------------------------------------------


def test_a_release_tells_nothing_and_asks_nobody(work: Exporting, stand: Stand) -> None:
    order = work.order()
    before = stand.calls("otto").get("read-order", 0)
    work.change(order, "released")
    work.until(order, "skipped", "status-not-told")
    assert work.parts(order) == {"status": ("skipped", "status-not-told")}
    assert stand.calls("otto").get("read-order", 0) == before


@pytest.mark.parametrize("status", ["shipped", "completed"])
def test_a_status_without_parcels_is_named(work: Exporting, number: str, status: str) -> None:
    order = work.order()
    work.change(order, status, time=START)
    work.until(order, "failed", "shipments-missing")
    assert work.parts(order) == {"status": ("failed", "shipments-missing")}
    work.change(order, status, parcel(number), time=START + timedelta(minutes=1))
    work.until(order, "done")


def test_completed_where_all_is_shipped_is_nothing_to_do(work: Exporting, number: str) -> None:
    order = work.order()
    work.send_by_hand(order, parcel(number))
    work.change(order, "completed")
    work.until(order, "skipped", "nothing-left-to-ship")


def test_a_cancellation_counts_once_the_marketplace_shows_it(work: Exporting, stand: Stand) -> None:
    order = work.order()
    work.change(order, "cancelled")
    row = work.until(order, "pending", "cancellation-awaited")
    assert row["due"] <= 2.0
    work.until(order, "done", "cancelled-there")
    assert work.units(order) == ["CANCELLED_BY_PARTNER"] * 2
    assert work.parts(order) == {"status": ("done", "cancelled-there")}


def test_a_cancellation_that_does_not_come_true_is_asked_for_again(work: Exporting, stand: Stand) -> None:
    order = work.order()
    stand.fault("otto", "accepted_not_applied", "cancel-order")
    work.change(order, "cancelled")
    work.until(order, "pending", "cancellation-awaited")
    work.later(order)
    work.until(order, "waiting", "cancellation-awaited")
    until(lambda: work.units(order) == ["CANCELLED_BY_PARTNER"] * 2 or None, "the marketplace carries it out")
    work.later(order)
    work.until(order, "done", "cancelled-there")


def test_a_cancellation_stays_here_where_the_interface_says_so(work: Exporting) -> None:
    work.conn.execute("UPDATE interfaces SET cancels = false, revision = revision + 1")
    order = work.order()
    work.change(order, "cancelled")
    work.until(order, "skipped", "cancellation-off")
    assert work.units(order) == ["PROCESSABLE"] * 2


def test_what_left_already_cannot_be_cancelled(work: Exporting, number: str) -> None:
    order = work.order()
    work.change(order, "shipped", parcel(number), time=START)
    work.until(order, "done")
    work.change(order, "cancelled", time=START + timedelta(minutes=1))
    row = work.until(order, "failed", "not-cancellable")
    assert len(row["reason"]) == 1
    assert work.parts(order)["tracking"] == ("done", "already-there")


def test_the_rest_of_an_order_is_cancelled_after_its_parcel(work: Exporting, number: str) -> None:
    order = work.order(units=3)
    work.change(order, "cancelled", parcel(number, ("ABC-1", 1)))
    work.until(order, "done")
    assert work.shipped(order) == [number]
    assert work.units(order) == ["CANCELLED_BY_PARTNER"] * 2 + ["SENT"]


def test_a_parcel_for_a_cancelled_order_is_named(work: Exporting, stand: Stand, number: str) -> None:
    order = work.order()
    stand.cancel("otto", order)
    work.change(order, "shipped", parcel(number))
    row = work.until(order, "failed", "shipment-for-cancelled")
    assert row["reason"][0]["values"] == {"number": number, "order": order}
    assert work.shipped(order) == []


def test_a_parcel_for_an_order_that_is_only_announced_waits(work: Exporting, stand: Stand, number: str) -> None:
    order = work.order(defects=("announced",))
    work.change(order, "shipped", parcel(number))
    work.until(order, "waiting", "not-released-there")
    stand.release("otto", order)
    work.later(order)
    work.until(order, "done")


# -- asked for by a person -----------------------------------------------------------------------------------------


def asking(work: Exporting) -> Receipts:
    look = changes_by_number(lambda of: work.remotes.open(of, "erp", open_status_source))
    return Receipts(
        "export", look, connect=lambda: work.conn, read=work.read, bell=work.bell, failpoint=nothing,
        insist=lambda *_: None,
    )  # fmt: skip


def ask(work: Exporting, *numbers: str) -> dict[str, str]:
    """Ask for exports; the result of each number."""
    receipt = request(work.conn, "export", SLUG, numbers, "erika")
    assert asking(work).answer(work.conn)
    found = work.conn.execute("SELECT number, result FROM receipt_numbers WHERE receipt = %s", (receipt,)).fetchall()
    return dict(found)


def test_an_export_asked_for_reads_the_erp_and_says_when_all_is_there(
    work: Exporting, stand: Stand, number: str
) -> None:
    order = work.order()
    work.create_in_erp(order)
    stand.post("xentral", f"orders/{order}/ship", {"parcels": [{"carrier": "DHL", "tracking_number": number}]})
    work.fill_pool(number)
    assert ask(work, order, "nobody-knows-it") == {order: "taken-in", "nobody-knows-it": "not-found"}
    work.until(order, "done")
    assert work.shipped(order) == [number]
    seq = work.record(order)["seq"]
    assert ask(work, order) == {order: "taken-in"}
    work.until_seq(order, seq + 3)
    work.until(order, "done", "already-there")
    assert work.shipped(order) == [number]
