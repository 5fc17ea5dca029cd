"""The work loop: fair between interfaces, and nothing that one record or one interface is takes others along."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from shared.connectors.contract import Reason, RemoteError
from shared.db.connect import Connection, connect
from shared.records.interfaces import set_mode, touch
from shared.records.states import State
from shared.runtime.outcome import Done, Outcome
from shared.runtime.stage import Held
from tests.support.spine import (
    SLUG,
    assert_sound,
    codes,
    event,
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


def test_whatever_is_due_is_worked_off_and_a_bell_saves_the_wait(conn: Connection, database_url: str) -> None:
    stage = TestStage()
    with working(database_url, stage) as loop:
        take_in(conn, *(event(f"N{n}") for n in range(30)))
        loop.bell.ring(SLUG)
        until_states(conn, State.DONE)
    assert sorted(stage.keys()) == sorted(states(conn))
    assert stage.most <= 5, "calls at once, and one on its own thread"
    assert_sound(conn)


def test_orders_that_come_one_by_one_gather_and_run_side_by_side(conn: Connection, database_url: str) -> None:
    first, rest = Gate("N0"), Gate()
    stage = TestStage(lambda held: (first if held.claim.key == "N0" else rest)(held))
    with working(database_url, stage) as loop:
        for n in range(8):
            take_in(conn, event(f"N{n}"))
            loop.bell.ring(SLUG)
            if n < 2:
                (first, rest)[n].waiting.get(timeout=10)
        first.open()
        until(lambda: stage.most == 4, "what came runs on all threads")
        rest.open()
        until_states(conn, State.DONE)
    assert stage.most == 4, "never more than the interface allows"


def test_a_slow_system_does_not_hold_up_another_interface(conn: Connection, database_url: str) -> None:
    store_lane(conn, "shop-2")
    gate = Gate("slow")
    with working(database_url, TestStage(gate)):
        take_in(conn, event("slow"))
        gate.waiting.get(timeout=10)
        take_in(conn, *(event(f"N{n}", interface="shop-2") for n in range(20)))
        until(lambda: conn.execute("SELECT count(*) = 20 FROM records WHERE state = 'done'").fetchone() == (True,), "")
        assert states(conn)["slow"] == "running"
        gate.open()
        until_states(conn, State.DONE)


# -- one bad record ------------------------------------------------------------------------------------------------


def test_a_record_that_breaks_the_batch_fails_alone(conn: Connection, database_url: str) -> None:
    def prepare(held: Held) -> None:
        if held.claim.key == "bad":
            raise KeyError("nobody thought of this")

    take_in(conn, event("A"), event("bad"), event("B"))
    with working(database_url, TestStage(prepare=prepare)):
        until_states(conn, State.DONE, State.FAILED)
    assert states(conn) == {"A": "done", "B": "done", "bad": "failed"}
    assert (record(conn, "bad")["code"], record(conn, "bad")["intended"]) == ("unclassified", False)
    assert_sound(conn)


def test_what_a_remote_system_refuses_of_a_batch_is_found_out_one_by_one(conn: Connection, database_url: str) -> None:
    def prepare(held: Held) -> None:
        if held.claim.key == "bad":
            raise RemoteError(Reason.INVALID, "a strange number")

    take_in(conn, event("A"), event("bad"), event("B"))
    with working(database_url, TestStage(prepare=prepare)):
        until_states(conn, State.DONE, State.FAILED)
    assert states(conn) == {"A": "done", "B": "done", "bad": "failed"}


def test_our_own_database_trouble_makes_no_order_red(conn: Connection, database_url: str) -> None:
    tries: list[str] = []

    def one(held: Held) -> Outcome:
        tries.append(held.claim.key)
        if len(tries) == 1:
            raise psycopg.OperationalError("the connection is lost")
        return Done("7")

    take_in(conn, event("A"))
    with working(database_url, TestStage(one)):
        until(lambda: codes(conn, "A")[-1] == "database-away", "it is put back")
        until_states(conn, State.DONE)
    assert "failed" not in str(conn.execute("SELECT to_state FROM transitions").fetchall())
    assert_sound(conn)


# -- settings ------------------------------------------------------------------------------------------------------


def test_changed_settings_are_used_without_a_restart_and_without_restless_claims(
    conn: Connection, database_url: str
) -> None:
    gate = Gate("first")
    stage = TestStage(gate)
    with working(database_url, stage) as loop:
        take_in(conn, event("first"))
        gate.waiting.get(timeout=10)
        touch(conn, SLUG)
        take_in(conn, *(event(f"N{n}") for n in range(10)))
        loop.bell.ring(SLUG)
        for _ in range(2):  # a lane with old settings must not claim and give back, again and again
            polled = loop.next_poll()
            until(lambda polled=polled: loop.next_poll() > polled, "the loop polls")  # type: ignore[misc]
        churn = conn.execute("SELECT count(*) FROM transitions WHERE code = 'worker-stopped'").fetchone()
        assert churn is not None
        assert churn[0] <= 10
        gate.open()
        until_states(conn, State.DONE)
    revision = conn.execute("SELECT revision FROM interfaces").fetchone()
    assert revision is not None
    assert {used for key, used in stage.handled if key != "first"} == {revision[0]}


def test_settings_that_do_not_fit_stop_their_own_interface_only(conn: Connection, database_url: str) -> None:
    for slug in ("wrong", "sideless"):
        conn.execute(
            "INSERT INTO interfaces(slug, title, marketplace, erp, mode) VALUES (%s, 'wrong', 'x', 'y', 'live')",
            (slug,),
        )
    conn.execute("UPDATE interfaces SET title = 'OTTO' WHERE slug = 'sideless'")
    take_in(conn, event("A"), event("B", interface="wrong"), event("C", interface="sideless"))
    with working(database_url, TestStage()):
        until(lambda: states(conn)["A"] == "done", "the good one runs")
    assert states(conn) == {"A": "done", "B": "pending", "C": "pending"}


def test_an_interface_that_is_removed_under_way_does_not_end_the_loop(conn: Connection, database_url: str) -> None:
    store_lane(conn, "shop-2")
    gate = Gate("A")
    with working(database_url, TestStage(gate)):
        take_in(conn, event("A"))
        gate.waiting.get(timeout=10)
        conn.execute("DELETE FROM interfaces WHERE slug = %s", (SLUG,))
        take_in(conn, event("B", interface="shop-2"))
        until(lambda: states(conn)["B"] == "done", "the other goes on")
        gate.open()
        until_states(conn, State.DONE)


@pytest.mark.parametrize("mode", ["test", "paused"])
def test_an_interface_that_does_not_run_runs_only_what_is_forced(
    conn: Connection, database_url: str, mode: str
) -> None:
    set_mode(conn, SLUG, mode)
    take_in(conn, event("A"))
    take_in(conn, event("B"), forced=True)
    take_in(conn, event("lost"), forced=True)
    conn.execute("UPDATE records SET lost = 2 WHERE key = 'lost'")
    with working(database_url, TestStage()):
        until(lambda: states(conn) == {"A": "pending", "B": "done", "lost": "done"}, "the forced ones ran")
    assert not record(conn, "B")["forced"]
