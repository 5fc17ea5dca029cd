"""Orders that intake hands straight to the work loop of its process: claimed as they are stored, otherwise as ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from shared.db.connect import Connection, connect
from shared.db.migrate import migrate
from shared.records.claim import Kind
from shared.records.states import State
from shared.runtime.bell import Bell
from shared.runtime.handover import Handover, Room
from shared.runtime.intake import Intake
from shared.runtime.prepare import Arrival
from tests.support.spine import SLUG, STAGE, assert_sound, claims, event, make_due, nothing, record, states, store_lane
from tests.support.waiting import until
from tests.support.working import Gate, TestStage, done, until_states, working

pytestmark = pytest.mark.servers

HOLD = 55.0


@pytest.fixture
def db(database_url: str) -> Iterator[Connection]:
    migrate(database_url)
    with connect(database_url, "tests") as conn:
        yield conn


def offering(slots: int = 10) -> Handover:
    handover = Handover(STAGE, nothing, intends=True)
    handover.offer({SLUG: Room(slots, HOLD)})
    return handover


def taken(db: Connection, handover: Handover, *bodies: bytes) -> list[str]:
    arrivals = [Arrival(body, "order-imported", "tests", "order-imported") for body in bodies]
    return [str(one.outcome) for one in Intake(nothing, handover).take_in(db, arrivals)]


def test_a_new_order_is_stored_as_claimed_with_its_whole_history(db: Connection) -> None:
    store_lane(db)
    handover = offering()
    assert taken(db, handover, event("1"), event("2", status="announced")) == ["applied", "applied"]
    (((held,), _),) = handover.collect()
    stored = record(db, "1")
    assert (stored["state"], stored["claim_no"], stored["lost"], stored["intended"], stored["sent_no"]) == (
        "running", 1, 1, True, 1,
    )  # fmt: skip
    assert HOLD - 5 < stored["due"] <= HOLD
    assert (held.id, held.key, held.was, held.claim_no, held.intended, held.payload_no, held.sent_no) == (
        stored["id"], "1", State.PENDING, 1, False, 1, None,
    )  # fmt: skip
    assert held.event is not None
    assert held.event.data.order.number == "1"
    history = db.execute(
        "SELECT seq, stage, from_state, to_state, claim_no FROM transitions WHERE record_id = %s ORDER BY seq",
        (stored["id"],),
    ).fetchall()
    assert history == [
        (1, "connect", None, "done", None), (2, "erp", None, "pending", None), (3, "erp", "pending", "running", 1),
    ]  # fmt: skip
    assert record(db, "2")["state"] == "pending"  # announced: nobody may work on it yet
    assert_sound(db)


def test_there_is_no_more_handed_over_than_room(db: Connection) -> None:
    store_lane(db)
    handover = offering(2)
    taken(db, handover, *(event(str(n)) for n in range(4)))
    assert sorted(states(db).values()) == ["pending", "pending", "running", "running"]
    assert [len(claims) for claims, _ in handover.collect()] == [2]


def test_duplicates_and_changes_take_no_room(db: Connection) -> None:
    store_lane(db)
    first = event("1", name="a")
    taken(db, offering(0), first)
    handover = offering(1)
    assert taken(db, handover, first, event("1", version=2), event("2")) == ["duplicate", "applied", "applied"]
    # The two of order 1 were stored in other rounds or were not new; what was promised for them came back.
    handed = [one.key for held, _ in handover.collect() for one in held]
    assert handed in (["2"], [])
    assert handover.pause()
    assert_sound(db)


def test_a_batch_that_cannot_be_stored_gives_its_room_back(database_url: str, db: Connection) -> None:
    store_lane(db)
    handover = offering(1)
    intake = Intake(nothing, handover)
    arrivals = [Arrival(event("1"), "order-imported", "tests", "order-imported")]
    with closing(connect(database_url, "doomed")) as doomed:  # and no commit at its end, on what may be cut
        intake.take_in(doomed, [Arrival(b"{", "order-imported", "tests", "order-imported")])
        db.execute("SELECT pg_terminate_backend(%s)", (doomed.info.backend_pid,))
        with pytest.raises(psycopg.OperationalError):
            intake.take_in(doomed, arrivals)
    assert states(db) == {}
    assert handover.collect() == []
    intake.take_in(db, arrivals)
    assert states(db) == {"1": "running"}


def test_one_that_nobody_works_on_is_claimed_by_another_once_its_lease_is_over(db: Connection) -> None:
    """As after a crash between commit and work: the claim was an intent, so the next one knows that it has to look."""
    store_lane(db)
    taken(db, offering(), event("1"))
    assert claims(db) == []
    make_due(db, "1")
    (again,) = claims(db)
    assert (again.was, again.claim_no, again.intended) == (State.RUNNING, 2, True)
    assert_sound(db)


def test_test_and_forced_orders_wait_for_a_claim(db: Connection) -> None:
    store_lane(db, mode="test")
    taken(db, offering(), event("1"))
    assert states(db) == {"1": "pending"}
    assert claims(db, kind=Kind.NORMAL)


def test_a_work_loop_settles_what_it_is_handed(database_url: str, db: Connection) -> None:
    store_lane(db)
    bell = Bell()
    handover = Handover(STAGE, bell.ring, intends=True)
    stage = TestStage(done)
    with working(database_url, stage, bell=bell, handover=handover) as work:
        work.until_offered(handover, SLUG)
        taken(db, handover, event("1"), event("2"))
        until_states(db, State.DONE)
    assert db.execute("SELECT count(*) FROM transitions WHERE seq = 3 AND to_state = 'running'").fetchone() == (2,)
    assert db.execute("SELECT max(claim_no) FROM records").fetchone() == (1,)
    assert_sound(db)


def test_a_lane_with_older_work_takes_nothing_new_before_it(database_url: str, db: Connection) -> None:
    store_lane(db, at_once=1)
    bell = Bell()
    handover = Handover(STAGE, bell.ring, intends=True)
    gate = Gate()
    with working(database_url, TestStage(gate), bell=bell, handover=handover) as work:
        work.until_offered(handover, SLUG)
        taken(db, handover, *(event(str(n)) for n in range(20)))  # more than it has room for: some are handed over
        gate.waiting.get(timeout=10)
        handed_over = list(states(db).values()).count("running")
        bell.ring(SLUG)
        until(lambda: list(states(db).values()).count("running") > handed_over, "it claims what waits")
        taken(db, handover, event("late"))
        assert states(db)["late"] == "pending"
        gate.open()
        until_states(db, State.DONE)
    assert_sound(db)


def test_what_is_handed_over_while_the_loop_stops_is_given_back(database_url: str, db: Connection) -> None:
    store_lane(db)
    bell = Bell()
    handover = Handover(STAGE, bell.ring, intends=True)
    with working(database_url, TestStage(done), bell=bell, handover=handover) as work:
        work.until_offered(handover, SLUG)
        promise = handover.promise([SLUG])
        handover.keep(promise, [])
        work.stop.set()
        taken(db, handover, event("1"))
    assert states(db)["1"] in ("pending", "done")
    assert handover.close()
    assert_sound(db)
