"""Whatever the history: in the end the marketplace shows the newest quantity, and no older one was sent after a newer.

Events are shuffled, doubled and late; calls are lost, refused or accepted and not applied; workers die at every
failpoint, or stand still there until another one has sent something newer.
"""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.stock.confirm import Confirm, Places
from shared.db.connect import Connection, connect
from shared.records.actions import run_again
from shared.records.articles import Listed, insist, store_listed
from shared.records.interfaces import read
from shared.runtime.stage import Held
from tests.support.creating import SEAL
from tests.support.shelf import FAULTS, Died, HandWorker, Shelf
from tests.support.spine import SLUG, assert_sound, nothing, store_lane
from tests.support.stocking import stock_event, take_in

pytestmark = [pytest.mark.servers, pytest.mark.timeout(3600)]
BEGAN = datetime(2026, 1, 5, 12, tzinfo=UTC)
HISTORIES = int(os.environ.get("CONNECT_TEST_HISTORIES", "200"))
PLACES = (
    *("work.claimed", "stock.read-back", "stock.before-call", "stock.called", "stock.accepted"),
    *("work.before-settle", "work.settled"),
)
MOST_DEATHS = 4  # a record may lose five leases in a row, then it fails by name
SKUS = 2


@dataclass(frozen=True)
class Change:
    """The ERP's quantity of an article changes; late: the event is older than what came before it."""

    sku: int
    quantity: int
    late: bool = False


@dataclass(frozen=True)
class Again:
    """The last event of an article is delivered once more."""

    sku: int


@dataclass(frozen=True)
class Turn:
    """Changes come in as one batch, then a worker has its turn, in which a call may go wrong.

    still: it stands still there until its lease is over and another worker has taken `meanwhile` through; dies: it dies
    there, after that.
    """

    changes: tuple[Change, ...] = ()
    fault: str = ""
    still: str | None = None
    meanwhile: Change | None = None
    dies: str | None = None


@dataclass(frozen=True)
class Other:
    """time: leases end, what waits is due; look: what was accepted is read back; sync: a person insists."""

    what: str
    sku: int = 0


sku = st.integers(0, SKUS - 1)
changes = st.builds(Change, sku, st.integers(-1, 2), st.sampled_from([False, False, False, True]))
turns = st.builds(
    Turn,
    st.lists(changes, max_size=2).map(tuple),
    st.sampled_from(["", "", "", *FAULTS]),
    st.sampled_from([None, None, *PLACES]),
    st.none() | changes,
    st.sampled_from([None, None, None, *PLACES]),
)
steps = st.one_of(
    turns, turns, turns, turns, st.builds(Again, sku), st.builds(Other, st.sampled_from(["time", "look", "sync"]), sku)
)
Step = Change | Again | Turn | Other


class History:
    """One history: articles of its own in a database that others have used before."""

    numbers = itertools.count()

    def __init__(self, conn: Connection, listed: Sequence[int]) -> None:
        mark = f"{next(self.numbers)}-{uuid.uuid4().hex[:6]}"
        self.skus = [f"{mark}-{n}" for n in range(SKUS)]
        self.conn, self.shelf, self.deaths = conn, Shelf(), 0
        self.worker = HandWorker(conn, self.shelf)
        self.known: dict[str, list[tuple[int, int, int]]] = {sku: [] for sku in self.skus}
        self.last: dict[str, bytes] = {}
        places = Places(
            nothing, lambda c, slug: read(c, SEAL, slug), lambda _: (self.shelf, nothing), lambda _: 0.0,
            nothing, nothing, nothing, settled=0.0,
        )  # type: ignore[arg-type]  # fmt: skip
        self.confirm = Confirm(places)
        store_listed(conn, SLUG, [Listed(self.skus[n], None, None, "simple", None) for n in listed], BEGAN)

    # -- steps -------------------------------------------------------------------------------------------------------

    def step(self, step: Step) -> None:
        match step:
            case Change():
                take_in(self.conn, self.event(step))
            case Again(sku=n) if self.skus[n] in self.last:
                take_in(self.conn, self.last[self.skus[n]])
            case Turn():
                self._turn(step)
            case Other(what="time"):
                self.worker.time_passes()
            case Other(what="look"):
                self.confirm.look(self.conn, SLUG)
            case Other(what="sync", sku=n):
                self._sync(n)

    def event(self, change: Change) -> bytes:
        """Its bytes; known are (place in the order of changes, order of coming, quantity)."""
        sku = self.skus[change.sku]
        known = self.known[sku]
        newest = max((place for place, _, _ in known), default=0)
        place = newest - 1 if change.late and known else newest + 2
        known.append((place, len(known), max(0, change.quantity)))
        at = BEGAN + timedelta(minutes=place // 2)
        self.last[sku] = stock_event(sku, change.quantity, time=at, version=place % 2)
        return self.last[sku]

    def _turn(self, turn: Turn) -> None:
        if turn.changes:
            take_in(self.conn, *map(self.event, turn.changes))
        self.shelf.faults = [turn.fault]
        happens: dict[str, Callable[[list[Held]], None]] = {}
        mortal = self.deaths < MOST_DEATHS
        if turn.still and mortal:
            happens[turn.still] = lambda mine: self._overtaken(mine, turn)
        elif turn.dies and mortal:
            happens[turn.dies] = self._die
        if turn.still and turn.dies and turn.dies != turn.still and mortal:
            happens[turn.dies] = self._die
        self.worker.turn(happens)

    def _die(self, _: list[Held]) -> None:
        self.deaths += 1
        raise Died

    def _overtaken(self, mine: list[Held], turn: Turn) -> None:
        self.deaths += 1
        for held in mine:
            held.lease_end = 0.0
        guard, self.shelf.guard = self.shelf.guard, nothing
        if turn.meanwhile:
            take_in(self.conn, self.event(turn.meanwhile))
        self.worker.time_passes()
        self.worker.turn()
        self.shelf.guard = guard
        if turn.dies == turn.still:
            self._die(mine)

    def _sync(self, n: int) -> None:
        row = self.conn.execute("SELECT id FROM records WHERE key = %s", (self.skus[n],)).fetchone()
        if row is not None:
            insist(self.conn, row[0])
            run_again(self.conn, row[0], "erika")

    def end(self, *, looking: bool) -> None:
        """Faults are over; everything goes on until nothing is due. Who failed is tried again.

        looking: until all is confirmed as well.
        """
        self.shelf.faults = []
        for _ in range(12):
            self.worker.time_passes()
            busy = self.worker.turn()
            failed = self.conn.execute(
                "SELECT id FROM records WHERE state = 'failed' AND key = ANY(%s)", (self.skus,)
            ).fetchall()
            for (id_,) in failed:
                run_again(self.conn, id_, "erika")
            if not busy and not failed and not (looking and self.confirm.look(self.conn, SLUG)):
                return
        raise AssertionError("it does not come to rest")

    # -- what holds --------------------------------------------------------------------------------------------------

    def assert_newest(self, *, confirmed: bool) -> None:
        for sku, known in self.known.items():
            if not known:
                assert sku not in self.shelf.held
                continue
            wanted = max(known)[2]
            assert self.shelf.held.get(sku) == wanted, (sku, known, self.shelf.ledger)
            row = self.conn.execute(
                "SELECT r.state, a.sent, a.shown FROM records r JOIN articles a ON a.record_id = r.id WHERE r.key = %s",
                (sku,),
            ).fetchone()
            assert row == ("done", wanted, wanted if confirmed else row and row[2])

    def assert_order(self) -> None:
        """What was sent can be read as changes that only become newer."""
        at: dict[str, tuple[int, int, int]] = {}
        for sku, quantity in self.shelf.ledger:
            later = [one for one in sorted(self.known[sku]) if one[2] == quantity and one >= at.get(sku, (0, 0, 0))]
            assert later, (sku, quantity, self.shelf.ledger, self.known)
            at[sku] = later[0]


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests", plan_once=True) as opened:
        store_lane(opened)
        yield opened
        assert_sound(opened)


FIVE, SEVEN = Change(0, 1), Change(0, 2)


@settings(
    max_examples=HISTORIES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(listed=st.lists(sku, unique=True), history=st.lists(steps, min_size=3, max_size=10))
# An outcome that is unknown, and the newest is what was accepted before.
@example([], [Turn((FIVE,)), Turn((SEVEN,), "answer-lost"), FIVE])
@example([], [Turn((FIVE,)), Turn((SEVEN,), "bug"), FIVE])
# A worker that stood still after its call says too late what was taken, and dies over it.
@example([], [Turn((FIVE,), "", "stock.called", SEVEN, "stock.accepted"), FIVE])
@example([], [Turn((FIVE,), "", "stock.before-call", SEVEN)])
# A SKU that the marketplace does not list any more, and then does again, with what it had accepted before.
@example([], [Turn((FIVE,)), Turn((SEVEN,), "one-bad"), FIVE])
def test_the_newest_stands_and_nothing_older_was_sent_after_it(
    conn: Connection, listed: list[int], history: list[Step]
) -> None:
    told = History(conn, listed)
    for step in history:
        told.step(step)
        told.assert_order()
    told.end(looking=False)
    told.assert_order()
    if not any(isinstance(step, Turn) and step.fault == "not-applied" for step in history):  # only a look tells that
        told.assert_newest(confirmed=False)
    told.end(looking=True)
    told.assert_order()
    told.assert_newest(confirmed=True)


def test_what_was_sent_by_a_worker_frozen_in_its_call_is_read_back_and_mended(conn: Connection) -> None:
    """The window that is left: behind its last look at the lease nothing holds a frozen process's bytes back."""
    told = History(conn, [])
    told.step(FIVE)

    def overtaken() -> None:
        told.step(SEVEN)
        told.worker.time_passes()
        told.worker.turn()
        assert told.shelf.held == {told.skus[0]: 2}

    told.shelf.in_call = overtaken
    told.worker.turn()
    assert told.shelf.held == {told.skus[0]: 1}, "the older one came later"
    told.end(looking=False)
    told.assert_newest(confirmed=False)
