"""The work loop in trouble: remote systems away, lost leases, lost connections, a stop in the middle."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from shared.db.connect import Connection, connect
from shared.errors.problem import Problem
from shared.records.states import State
from shared.runtime.breaker import close_breaker
from shared.runtime.outcome import Done, Outcome, Retry, Wait
from shared.runtime.stage import Held
from shared.runtime.timing import Timing
from tests.support.spine import (
    SLUG,
    assert_sound,
    claims,
    event,
    make_due,
    record,
    states,
    store_lane,
    take_in,
)
from tests.support.waiting import until
from tests.support.working import Gate, TestStage, until_states, working

pytestmark = pytest.mark.servers


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        yield opened


# -- trouble on the other side -------------------------------------------------------------------------------------


def test_while_the_breaker_is_open_nothing_is_claimed_and_nothing_turns_red(
    conn: Connection, database_url: str
) -> None:
    away = True

    def one(held: Held) -> Outcome:
        return Retry(Problem("remote-timeout"), called=True) if away else Done("7")

    take_in(conn, *(event(f"N{n:02}") for n in range(40)))
    stage = TestStage(one)
    with working(database_url, stage):
        until(lambda: conn.execute("SELECT breaker FROM side_states WHERE side = 'erp'").fetchone() == ("open",), "")
        until(lambda: "running" not in states(conn).values(), "the calls under way end")
        tried, found = set(stage.keys()), states(conn)
        assert {key for key, state in found.items() if state == "waiting"} == tried
        assert {state for key, state in found.items() if key not in tried} == {"pending"}
        assert len(tried) < 40
        away = False
        close_breaker(conn, SLUG, "erp")
        until_states(conn, State.DONE)
    assert_sound(conn)


def test_the_other_sides_trouble_does_not_open_this_breaker(conn: Connection, database_url: str) -> None:
    def one(held: Held) -> Outcome:
        return Wait(Problem("remote-timeout"), (f"marketplace:{SLUG}",), 60.0)

    take_in(conn, *(event(f"N{n:02}") for n in range(12)))
    with working(database_url, TestStage(one)):
        until_states(conn, State.WAITING)
    assert conn.execute("SELECT breaker FROM side_states WHERE side = 'erp'").fetchone() == ("closed",)


# -- lost leases ---------------------------------------------------------------------------------------------------


def test_a_record_that_lost_two_leases_runs_alone_and_still_gets_its_turn(conn: Connection, database_url: str) -> None:
    take_in(conn, event("suspect"), *(event(f"N{n:03}") for n in range(150)))
    conn.execute("UPDATE records SET lost = 2 WHERE key = 'suspect'")

    def one(held: Held) -> Outcome:
        threading.Event().wait(0.02)
        return Done("7")

    stage = TestStage(one)
    with working(database_url, stage):
        until_states(conn, State.DONE, seconds=20.0)
    assert stage.beside["suspect"] == set()
    assert "suspect" in stage.keys()[:60], "neither is it starved"


def test_five_lost_leases_are_a_failure_with_a_name(conn: Connection, database_url: str) -> None:
    take_in(conn, event("A"))
    claims(conn)
    conn.execute("UPDATE records SET lost = 5, due_at = now() WHERE flow = 'order-import'")
    with working(database_url, TestStage()):
        until_states(conn, State.FAILED)
    assert record(conn, "A")["code"] == "worker-lost"
    assert_sound(conn)


def test_a_record_claimed_anew_by_the_same_process_keeps_its_new_lease(conn: Connection, database_url: str) -> None:
    first, second = threading.Event(), threading.Event()
    order: queue.SimpleQueue[int] = queue.SimpleQueue()

    def one(held: Held) -> Outcome:
        order.put(held.claim.claim_no)
        assert (first if held.claim.claim_no == 1 else second).wait(20)
        return Done("7", called=True)

    take_in(conn, event("A"))
    with working(database_url, TestStage(one), Timing(lease=3.0, call=0.5)) as loop:
        assert order.get(timeout=10) == 1
        make_due(conn, "A")
        loop.bell.ring(SLUG)
        assert order.get(timeout=10) == 2
        first.set()
        until(lambda: record(conn, "A")["recheck"], "the first is refused, and somebody is to look")
        before = record(conn, "A")["due_at"]
        until(lambda: record(conn, "A")["due_at"] > before, "the second's lease is renewed")
        second.set()
        until(lambda: order.get(timeout=10) == 3, "it is read back")
        until_states(conn, State.DONE)
    assert_sound(conn)


# -- the loop's own connection -------------------------------------------------------------------------------------


def test_a_lost_connection_costs_nothing(conn: Connection, database_url: str) -> None:
    gate = Gate("N0", "N1", "N2")
    stage = TestStage(gate)
    take_in(conn, *(event(f"N{n}") for n in range(3)))
    with working(database_url, stage):
        for _ in range(3):
            gate.waiting.get(timeout=10)
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'work'"
            " AND datname = current_database()"
        )
        gate.open()
        until_states(conn, State.DONE)
    assert sorted(stage.keys()) == ["N0", "N1", "N2"]
    assert_sound(conn)


def test_a_stop_lets_calls_end_and_gives_the_rest_back(conn: Connection, database_url: str) -> None:
    gate = Gate()
    stage = TestStage(gate)
    take_in(conn, *(event(f"N{n}") for n in range(8)))
    with working(database_url, stage) as loop:
        gate.waiting.get(timeout=10)
        loop.stop.set()
        loop.bell.ring()
        until(lambda: loop.stopping(), "the lanes begin nothing more")
        gate.open()
    found = states(conn)
    assert set(found.values()) <= {"done", "pending"}
    assert {key for key, state in found.items() if state == "done"} == set(stage.keys())
    assert 0 < list(found.values()).count("pending") < 8
    assert conn.execute("SELECT count(*) FROM records WHERE lost > 0 OR tries > 0").fetchone() == (0,)
    assert_sound(conn)


def test_a_change_while_it_runs_is_handled_next(conn: Connection, database_url: str) -> None:
    gate = Gate()
    stage = TestStage(gate)
    start = datetime.now(UTC) - timedelta(hours=1)
    take_in(conn, event("A", time=start))
    with working(database_url, stage):
        gate.waiting.get(timeout=10)
        take_in(conn, event("A", time=start + timedelta(minutes=1), total="1.00"))
        gate.open()
        until(lambda: len(stage.handled) == 2, "the newer copy is handled")
        until_states(conn, State.DONE)
    assert record(conn, "A")["sent_no"] == 2
    assert_sound(conn)
