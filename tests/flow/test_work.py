"""The work loop: fair between interfaces, calm in trouble, and nothing is handled twice or forgotten."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from shared.connectors.contract import Reason, RemoteError
from shared.db.connect import Connection, connect
from shared.errors.problem import Problem
from shared.metrics import Metrics
from shared.records.interfaces import Interface, read, set_mode, touch
from shared.records.states import State
from shared.runtime.bell import Bell
from shared.runtime.breaker import close_breaker
from shared.runtime.outcome import Done, Outcome, Retry, Wait
from shared.runtime.stage import Each, Held, Say
from shared.runtime.timing import Timing
from shared.runtime.work import Wiring, Work
from shared.seal import Seal
from tests.support.spine import (
    SLUG,
    assert_sound,
    claims,
    codes,
    event,
    make_due,
    nothing,
    record,
    states,
    store_lane,
    take_in,
)
from tests.support.waiting import until

pytestmark = pytest.mark.servers
Handle = Callable[[Held], Outcome]


def done(_: Held) -> Outcome:
    return Done("7")


class Opened:
    """A handler that does what the test says, and notes what it was opened with."""

    lag = 0.0
    system = "Xentral"

    def __init__(self, stage: TestStage, interface: Interface) -> None:
        self._stage, self.interface = stage, interface

    def handle(self, batch: Sequence[Held], say: Say, each: Each) -> None:
        for held in batch:
            self._stage.prepare(held)
        each(batch, self._one)

    def _one(self, held: Held) -> Outcome:
        self._stage.note(held, self.interface.revision, 1)
        try:
            return self._stage.one(held)
        finally:
            self._stage.note(held, self.interface.revision, -1)

    def probe(self, keys: Sequence[str]) -> set[str]:
        return set()

    def ping(self) -> None: ...

    def close(self) -> None: ...


class TestStage:
    """A stage whose handling is a function; knows what ran, with which revision, and what ran beside it."""

    __test__ = False
    name, flow, side = "erp", "order-import", "erp"
    intends, inline = True, False
    probes: tuple[str, ...] = ()

    def __init__(self, one: Handle = done, prepare: Callable[[Held], None] = nothing) -> None:
        self.one, self.prepare = one, prepare
        self.handled: list[tuple[str, int]] = []
        self.running: set[str] = set()
        self.beside: dict[str, set[str]] = {}
        self.most = 0
        self._lock = threading.Lock()

    def open(self, interface: Interface) -> Opened:
        if interface.title == "wrong":
            raise ValueError("settings do not fit")
        return Opened(self, interface)

    def note(self, held: Held, revision: int, step: int) -> None:
        with self._lock:
            key = held.claim.key
            if step > 0:
                self.handled.append((key, revision))
                for other in self.running:
                    self.beside.setdefault(other, set()).add(key)
                self.beside.setdefault(key, set()).update(self.running)
                self.running.add(key)
            else:
                self.running.discard(key)
            self.most = max(self.most, len(self.running))

    def keys(self) -> list[str]:
        return [key for key, _ in self.handled]


class Gate:
    """Holds handlers of some keys until the test lets them go."""

    def __init__(self, *keys: str) -> None:
        self._keys, self._open = set(keys), threading.Event()
        self.waiting: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __call__(self, held: Held) -> Outcome:
        if held.claim.key in self._keys or not self._keys:
            self.waiting.put(held.claim.key)
            assert self._open.wait(20)
        return Done("7")

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        yield opened


class Working:
    """A work loop on a thread."""

    def __init__(self, url: str, stage: TestStage, timing: Timing) -> None:
        self.bell, self.stop, self.died = Bell(), threading.Event(), list[BaseException]()
        seal = Seal("a-secret-key-of-the-tests")
        wiring = Wiring(
            connect=lambda: connect(url, "work"),
            read=lambda conn, slug: read(conn, seal, slug),
            failpoint=nothing,
            beat=nothing,
            fatal=self.died.append,
            stopping=self.stop.is_set,
            timing=timing,
        )
        self.metrics = Metrics("tests", "0")
        self._work = Work(stage, self.bell, self.metrics, wiring)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work.run()
        except BaseException as error:
            self.died.append(error)

    def next_poll(self) -> float:
        return self._work._poll_at

    def stopping(self) -> bool:
        return all(lane.stopping for lane in self._work._lanes.values())

    def end(self) -> None:
        self.stop.set()
        self.bell.ring()
        self._thread.join(20)
        assert not self._thread.is_alive()
        assert not self.died, self.died


@contextmanager
def working(url: str, stage: TestStage, timing: Timing | None = None) -> Iterator[Working]:
    found = Working(url, stage, timing or Timing())
    try:
        yield found
    finally:
        found.end()


def until_states(conn: Connection, *wanted: State | str, seconds: float = 10.0) -> None:
    until(lambda: set(states(conn).values()) <= {str(one) for one in wanted}, f"all are {wanted}", seconds)


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
        until(lambda: stage.most >= 5, "what gathered runs on all threads")
        rest.open()
        until_states(conn, State.DONE)


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
    conn.execute("UPDATE records SET lost = 5, due_at = now()")
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
