"""Test, live and paused, of an interface and of each flow: what waits, what goes on, what is older than the go-live."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from shared.db.connect import Connection, connect
from shared.records.actions import retry
from shared.records.books import accounting
from shared.records.filter import parse
from shared.records.go_live import back_to_test, go_live, make_late_ones_real, pause, step
from shared.records.history import read_record
from shared.records.listing import list_records
from shared.records.modes import FLOWS, overrides, standings
from shared.records.settle import settle
from shared.records.states import State
from shared.runtime.bell import Bell
from tests.support.creating import Creating, add, creating
from tests.support.sandbox import Stand
from tests.support.spine import (
    SLUG,
    assert_sound,
    claims,
    event,
    record,
    settlement,
    states,
    store_lane,
    take_in,
)
from tests.support.system import INTERFACE, System, order_event, running
from tests.support.waiting import until
from tests.support.working import TestStage, working

pytestmark = pytest.mark.servers
BEGIN = datetime(2026, 11, 24, tzinfo=UTC)
OLD, NEW = "2026-11-23T23:59:59Z", "2026-11-24T00:00:00Z"


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        yield opened
        assert_sound(opened)


def flows(conn: Connection) -> dict[str, str]:
    return dict(standings(conn)[SLUG].flows)


def everywhere(mode: str, **other: str) -> dict[str, str]:
    return dict.fromkeys(FLOWS, mode) | {name.replace("_", "-"): own for name, own in other.items()}


def held(conn: Connection, key: str) -> tuple[str | None, str | None]:
    """What the list says of a record: the code of what holds it, and of its reason."""
    page = list_records(conn, "order-import", parse("", ZoneInfo("UTC")))
    (item,) = [one for one in page.items if one["key"] == key]
    reason = item["reason"]["problems"][0]["code"] if item["reason"] else None
    assert "forced" not in item
    return item["held"] and item["held"]["code"], reason


# -- modes -----------------------------------------------------------------------------------------------------------


def test_a_flow_follows_its_interface_unless_it_has_a_mode_of_its_own(conn: Connection) -> None:
    store_lane(conn)
    assert flows(conn) == everywhere("live")
    pause(conn, SLUG, "erika", "stock")
    assert flows(conn) == everywhere("live", stock="paused")
    pause(conn, SLUG, "erika")
    assert flows(conn) == everywhere("paused")
    go_live(conn, SLUG, "erika")
    assert flows(conn) == everywhere("live", stock="paused"), "what was paused alone stays so"
    go_live(conn, SLUG, "erika", flow="stock")
    assert (flows(conn), overrides(conn, SLUG)) == (everywhere("live"), {})
    back_to_test(conn, SLUG, "erika", "order-export")
    assert flows(conn) == everywhere("live", order_export="test")
    rows = conn.execute("SELECT verb, target ->> 'flow', target ->> 'mode' FROM audit ORDER BY id").fetchall()
    assert rows[0] == ("interfaces.mode", "stock", "paused")
    assert len(rows) == 5


def test_after_a_pause_nothing_is_rehearsed_again_and_after_a_test_it_is(conn: Connection) -> None:
    store_lane(conn, mode="test")
    assert step(conn, SLUG, None).new == FLOWS
    assert step(conn, SLUG, None).wants_date
    assert not step(conn, SLUG, "stock").wants_date
    pause(conn, SLUG, "erika")
    assert step(conn, SLUG, None).new == FLOWS, "a pause of a test is no go-live"
    go_live(conn, SLUG, "erika", flow="stock")
    assert flows(conn) == everywhere("paused"), "while all is paused no flow runs"
    go_live(conn, SLUG, "erika", from_date=BEGIN)
    pause(conn, SLUG, "erika")
    assert step(conn, SLUG, None).new == ()
    go_live(conn, SLUG, "erika")
    assert standings(conn)[SLUG].from_date == BEGIN
    back_to_test(conn, SLUG, "erika", "order-import")
    assert step(conn, SLUG, "order-import").wants_date
    assert step(conn, SLUG, "order-export").new == ()
    back_to_test(conn, SLUG, "erika")
    assert (flows(conn), step(conn, SLUG, None).new) == (everywhere("test"), FLOWS)


# -- what is held ----------------------------------------------------------------------------------------------------


def test_what_is_held_says_so_and_goes_on_in_its_order(database_url: str, conn: Connection) -> None:
    store_lane(conn)
    pause(conn, SLUG, "erika", "order-import")
    for number in ("3", "1", "2"):
        take_in(conn, event(number))
    assert {held(conn, number) for number in ("1", "2", "3")} == {("held-paused", "held-paused")}
    shown = read_record(conn, record(conn, "1")["id"], language="de")
    assert shown is not None
    assert "angehalten" in shown["held"]["sentence"]
    begun: list[str] = []
    stage, bell = TestStage(prepare=lambda one: begun.append(one.claim.key)), Bell()
    with working(database_url, stage, bell=bell) as work:
        before = work.next_poll()
        bell.ring(SLUG)
        until(lambda: work.next_poll() > before, "the worker has looked")
        assert states(conn) == dict.fromkeys("123", "pending"), "a wake-up does not set a paused flow going"
        retry(conn, [record(conn, "2")["id"]], "erika")
        until(lambda: states(conn)["2"] == "done", "what a person wants runs all the same")
        go_live(conn, SLUG, "erika", flow="order-import")
        until(lambda: set(states(conn).values()) == {"done"}, "all went on")
    assert begun == ["2", "3", "1"], "in the order of receipt"
    assert held(conn, "1") == (None, None)


def test_what_waits_keeps_its_own_reason_beside_the_pause(conn: Connection) -> None:
    store_lane(conn)
    take_in(conn, event("1"))
    (claim,) = claims(conn)
    settle(conn, [settlement(claim, State.WAITING, "sku:A", after=600.0)])
    pause(conn, SLUG, "erika")
    assert held(conn, "1") == ("held-paused", "sku-unknown")


def test_events_travel_while_a_flow_is_paused_and_go_on_afterwards(
    tmp_path: Path, database_url: str, amqp_url: str, stand: Stand, number: str
) -> None:
    system = System(tmp_path, database_url, amqp_url, stand)
    system.prepare()
    numbers = [f"{number}-{n}" for n in range(8)]
    with connect(database_url, "people") as conn, running(system):
        pause(conn, INTERFACE, "erika", "order-import")
        system.start()
        system.publish([order_event(number) for number in numbers])
        until(lambda: system.states()["pending"] == len(numbers), "all are stored")
        assert {held(conn, number)[0] for number in numbers} == {"held-paused"}
        assert not set(numbers) & set(system.ledger())
        go_live(conn, INTERFACE, "erika", flow="order-import")
        done = "SELECT count(*) FROM records WHERE flow = 'order-import' AND key = ANY(%s) AND state = 'done'"
        until(lambda: system.query(done, numbers) == [(len(numbers),)], "all went on")
        begun = [
            key
            for (key,) in system.query(
                "SELECT r.key FROM transitions t JOIN records r ON r.id = t.record_id WHERE r.flow = 'order-import'"
                " AND t.to_state = 'running' AND r.key = ANY(%s) ORDER BY t.at, r.id",
                numbers,
            )
        ]
        assert begun == numbers
        assert {number: system.ledger()[number] for number in numbers} == dict.fromkeys(numbers, 1)


# -- going live ------------------------------------------------------------------------------------------------------


@pytest.fixture
def work(database_url: str, conn: Connection, stand: Stand) -> Iterator[Creating]:
    add(conn, stand)
    with creating(database_url, conn, stand) as found:
        yield found


def test_orders_from_before_the_go_live_are_left_alone_unless_a_person_wants_one(work: Creating, number: str) -> None:
    go_live(work.conn, SLUG, "erika", from_date=BEGIN)
    old, new = f"{number}-old", f"{number}-new"
    work.take_in(event(old, ordered_at=OLD), event(new, ordered_at=NEW))
    work.until(old, "skipped", "older-than-go-live")
    work.until(new, "done")
    assert (work.erp_orders(old), len(work.erp_orders(new))) == ([], 1)
    assert record(work.conn, old)["intended"] is False
    work.take_in(event(old, ordered_at=OLD, version=2, total="44.88"))  # it changes at the shop, and stays out
    work.until(old, "skipped", "older-than-go-live")
    retry(work.conn, [record(work.conn, old)["id"]], "erika")
    work.bell.ring(SLUG)
    work.until(old, "done")
    assert len(work.erp_orders(old)) == 1
    by_hand = f"{number}-hand"
    take_in(work.conn, event(by_hand, ordered_at=OLD), forced=True)
    work.bell.ring(SLUG)
    work.until(by_hand, "done")


def test_what_was_held_in_test_is_real_after_the_go_live(conn: Connection) -> None:
    store_lane(conn, mode="test")
    take_in(conn, event("by-hand", ordered_at=NEW), forced=True)
    (claim,) = claims(conn)
    settle(conn, [settlement(claim, State.DONE, remote="7")])
    take_in(conn, event("old", ordered_at=OLD), event("new", ordered_at=NEW))
    assert held(conn, "new") == ("held-in-test", "held-in-test")
    go_live(conn, SLUG, "erika", from_date=BEGIN, missing=["mappings"], reason="checked by eye")
    tests = dict(conn.execute("SELECT key, test FROM records WHERE flow = 'order-import'").fetchall())
    assert tests == {"by-hand": True, "old": True, "new": False}
    (row,) = conn.execute("SELECT target, reason FROM audit").fetchall()
    assert (row[0]["missing"], row[0]["from"], row[1]) == (["mappings"], BEGIN.isoformat(), "checked by eye")


def test_an_intake_that_learns_of_the_go_live_late_stores_no_tests(conn: Connection) -> None:
    store_lane(conn, mode="test")
    take_in(conn, event("before", ordered_at=NEW))
    go_live(conn, SLUG, "erika", from_date=BEGIN)
    take_in(conn, event("late", ordered_at=NEW))
    conn.execute("UPDATE records SET test = true WHERE key = 'late'")  # as an intake does that has not looked since
    assert make_late_ones_real(conn) > 0
    assert record(conn, "late")["test"] is False


# -- tests count nowhere ---------------------------------------------------------------------------------------------


def test_tests_are_apart_in_the_books(conn: Connection) -> None:
    store_lane(conn, mode="test")
    take_in(conn, event("1"), event("2"))
    (book,) = accounting(conn, SLUG, datetime.now(UTC).date())["books"]
    assert (book["applied"], book["in_flight"], book["test"]["in_flight"]) == (2, 0, 2)
    assert book["balanced"]
