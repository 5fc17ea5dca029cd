"""Whatever the history: in the end the marketplace shows the newest quantity, and no older one was sent after a newer.

Events are shuffled, doubled and late; calls are lost, refused or accepted and not applied; workers die at every
failpoint, or stand still there until another one has sent something newer.
"""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
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

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1800)]
BEGAN = datetime(2026, 1, 5, 12, tzinfo=UTC)
HISTORIES = int(os.environ.get("CONNECT_TEST_HISTORIES", "300"))
DEATHS = (
    *("work.claimed", "stock.read-back", "stock.before-call", "stock.called", "stock.accepted"),
    *("work.before-settle", "work.settled"),
)
MOST_DEATHS = 3  # in a row a record may lose five leases, then it fails by name
SKUS, RANKS = 3, 6
sku, rank = st.integers(0, SKUS - 1), st.integers(0, RANKS - 1)
Step = tuple[object, ...]
steps: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("event"), sku, rank),
    st.tuples(st.just("event"), sku, rank),
    st.tuples(st.just("events"), st.lists(st.tuples(sku, rank), min_size=2, max_size=6)),
    st.tuples(st.just("work"), st.sampled_from(FAULTS)),
    st.tuples(st.just("dies"), st.sampled_from(DEATHS), st.sampled_from(FAULTS)),
    st.tuples(
        st.just("stands still"), st.sampled_from(DEATHS), sku, rank, st.sampled_from(FAULTS), st.sampled_from(DEATHS)
    ),
    st.tuples(st.just("time")),
    st.tuples(st.just("look")),
    st.tuples(st.just("sync"), sku),
)


class History:
    """One history: articles of its own in a database that others have used before."""

    numbers = itertools.count()

    def __init__(self, conn: Connection, quantities: Sequence[int], listed: Sequence[int]) -> None:
        mark = f"{next(self.numbers)}-{uuid.uuid4().hex[:6]}"
        self.skus = [f"{mark}-{n}" for n in range(SKUS)]
        self.conn, self.shelf = conn, Shelf()
        self.worker = HandWorker(conn, self.shelf)
        self.quantities, self.known = quantities, {sku: set[int]() for sku in self.skus}
        self.deaths = 0
        self.confirm = Confirm(
            Places(
                nothing, lambda c, slug: read(c, SEAL, slug), lambda _: (self.shelf, nothing), lambda _: 0.0,
                nothing, nothing, nothing, settled=0.0,
            )  # type: ignore[arg-type]
        )  # fmt: skip
        store_listed(conn, SLUG, [Listed(self.skus[n], None, None, "simple", None) for n in listed], BEGAN)

    def event(self, n: int, rank: int) -> bytes:
        """A change by its place in the order of changes: the same arguments make the same event."""
        sku = self.skus[n]
        self.known[sku].add(rank)
        return stock_event(
            sku,
            self.quantities[rank],
            name=f"{sku}-{rank}",
            time=BEGAN + timedelta(minutes=rank // 2),
            version=rank % 2,
        )

    def step(self, step: Step) -> None:
        match step:
            case ("event", int(n), int(rank)):
                take_in(self.conn, self.event(n, rank))
            case ("events", list(pairs)):
                take_in(self.conn, *(self.event(n, rank) for n, rank in pairs))
            case ("work", str(fault)):
                self.shelf.faults = [fault]
                self.worker.turn()
            case ("dies", str(where), str(fault)) if self.deaths < MOST_DEATHS:
                self.shelf.faults = [fault]
                self.worker.turn({where: self._die})
            case ("stands still", str(where), int(n), int(rank), str(fault), str(end)) if self.deaths < MOST_DEATHS:
                self.shelf.faults = [fault]
                self.worker.turn({end: self._die, where: self._overtaken(n, rank)})
            case ("time",):
                self.worker.time_passes()
            case ("look",):
                self.confirm.look(self.conn, SLUG)
            case ("sync", int(n)):
                self._sync(n)

    def _die(self, _: list[Held]) -> None:
        self.deaths += 1
        raise Died

    def _overtaken(self, n: int, rank: int) -> Callable[[list[Held]], None]:
        """It stands still until its lease is over and another worker has taken a newer change through."""

        def happens(mine: list[Held]) -> None:
            self.deaths += 1
            for held in mine:
                held.lease_end = 0.0
            guard, self.shelf.guard = self.shelf.guard, nothing
            take_in(self.conn, self.event(n, rank))
            self.worker.time_passes()
            self.worker.turn()
            self.shelf.guard = guard

        return happens

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
            for (id_,) in self.conn.execute(
                "SELECT id FROM records WHERE state = 'failed' AND key = ANY(%s)", (self.skus,)
            ).fetchall():
                run_again(self.conn, id_, "erika")
                busy += 1
            if not busy and not (looking and self.confirm.look(self.conn, SLUG)):
                return
        raise AssertionError("it does not come to rest")

    def assert_newest(self, *, confirmed: bool) -> None:
        for sku, ranks in self.known.items():
            if not ranks:
                assert sku not in self.shelf.held
                continue
            wanted = max(0, self.quantities[max(ranks)])
            assert self.shelf.held.get(sku) == wanted, (sku, sorted(ranks), self.shelf.ledger)
            row = self.conn.execute(
                "SELECT r.state, a.sent, a.shown FROM records r JOIN articles a ON a.record_id = r.id WHERE r.key = %s",
                (sku,),
            ).fetchone()
            assert row == ("done", wanted, wanted if confirmed else row and row[2])

    def assert_order(self) -> None:
        """What was sent can be read as changes that only become newer."""
        at: Mapping[str, int] = {}
        for sku, quantity in self.shelf.ledger:
            ranks = [r for r in sorted(self.known[sku]) if max(0, self.quantities[r]) == quantity]
            later = [r for r in ranks if r >= at.get(sku, 0)]
            assert later, (sku, quantity, self.shelf.ledger)
            at = {**at, sku: later[0]}


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests", plan_once=True) as opened:
        store_lane(opened)
        yield opened
        assert_sound(opened)


@settings(
    max_examples=HISTORIES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    quantities=st.one_of(st.just(list(range(RANKS))), st.lists(st.integers(-1, 2), min_size=RANKS, max_size=RANKS)),
    listed=st.lists(sku, unique=True),
    history=st.lists(steps, min_size=3, max_size=14),
)
def test_the_newest_stands_and_nothing_older_was_sent_after_it(
    conn: Connection, quantities: list[int], listed: list[int], history: list[Step]
) -> None:
    told = History(conn, quantities, listed)
    for step in history:
        told.step(step)
        told.assert_order()
    told.end(looking=False)
    told.assert_order()
    if not any("not-applied" in step for step in history):  # only a look tells that one
        told.assert_newest(confirmed=False)
    told.end(looking=True)
    told.assert_order()
    told.assert_newest(confirmed=True)
