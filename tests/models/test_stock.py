"""Stock coalescing, step by step: the newest quantity wins, and none that is older is ever sent after a newer one.

The reference is a list of changes by their order; what is asked are the marketplace's shelf and its ledger. The worker,
its claims and settles are the real ones, over a real Postgres. Histories as a whole: tests/flow/test_stock_histories.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.stock import send
from services.stock.wanted import Wanted
from shared.db.connect import Connection, connect
from shared.records import receive_known
from shared.records.change import Decision, Standing, decide
from shared.records.states import State
from shared.runtime.stage import Held
from tests.flow.test_stock_histories import MOST_DEATHS, PLACES, SKUS, Again, Change, History, Other, Turn
from tests.models.running import run
from tests.support.shelf import FAULTS
from tests.support.spine import assert_sound, store_lane

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
skus = st.integers(0, SKUS - 1)
quantities = st.integers(-1, 3)
Plant = Callable[[pytest.MonkeyPatch], None]


class Stock(RuleBasedStateMachine):
    """One marketplace, two articles, a worker that may die or stand still anywhere."""

    def __init__(self, conn: Connection, violated: list[str]) -> None:
        """violated: what did not hold is noted there; what it left half done must not be this history's."""
        super().__init__()
        if violated:
            conn.execute("TRUNCATE records CASCADE")
        self.history = History(conn, [])
        self.not_applied = False
        self.violated = violated

    @contextmanager
    def _holds(self) -> Iterator[None]:
        try:
            yield
        except AssertionError as error:
            self.violated.append(str(error) or "violated")
            raise

    @rule(sku=skus, quantity=quantities, late=st.booleans())
    def erp_changes(self, sku: int, quantity: int, late: bool) -> None:
        self.history.step(Change(sku, quantity, late))

    @rule(sku=skus, first=quantities, second=quantities)
    def two_changes_before_anybody_works(self, sku: int, first: int, second: int) -> None:
        """They are coalesced: one call carries the second."""
        before = len(self.history.shelf.ledger)
        self.history.step(Change(sku, first))
        self.history.step(Change(sku, second))
        self.history.step(Turn())
        sent = [one for one in self.history.shelf.ledger[before:] if one[0] == self.history.skus[sku]]
        with self._holds():
            assert len(sent) <= 1, sent

    @rule(sku=skus, first=quantities, second=quantities, fault=st.sampled_from(["answer-lost", "bug", "lost"]))
    def erp_goes_back_while_nobody_knows_what_was_carried_out(
        self, sku: int, first: int, second: int, fault: str
    ) -> None:
        for quantity, fault_ in ((first, ""), (second, fault), (first, "")):
            self.history.step(Other("time"))
            self.history.step(Turn((Change(sku, quantity),), fault=fault_))

    @precondition(lambda self: self.history.last)
    @rule(sku=skus)
    def the_same_again(self, sku: int) -> None:
        self.history.step(Again(sku))

    @rule(fault=st.sampled_from(["", "", *FAULTS]))
    def worker_has_a_turn(self, fault: str) -> None:
        self.not_applied |= fault == "not-applied"
        self.history.step(Turn(fault=fault))

    @precondition(lambda self: self.history.deaths < MOST_DEATHS)
    @rule(place=st.sampled_from(PLACES), sku=skus, quantity=quantities)
    def worker_dies_over_a_change(self, place: str, sku: int, quantity: int) -> None:
        self.history.step(Turn((Change(sku, quantity),), dies=place))

    @precondition(lambda self: self.history.deaths < MOST_DEATHS)
    @rule(place=st.sampled_from(PLACES), sku=skus, quantity=quantities, newer=quantities)
    def worker_stands_still_and_is_overtaken(self, place: str, sku: int, quantity: int, newer: int) -> None:
        self.history.step(Turn((Change(sku, quantity),), still=place, meanwhile=Change(sku, newer)))

    @rule(what=st.sampled_from(["time", "time", "look", "sync"]), sku=skus)
    def else_happens(self, what: str, sku: int) -> None:
        self.history.step(Other(what, sku))

    @invariant()
    def nothing_older_was_sent_after_a_newer_one(self) -> None:
        with self._holds():
            self.history.assert_order()

    def teardown(self) -> None:
        """All comes to rest: the watermark is the newest, at the marketplace as in our books."""
        with self._holds():
            self.history.end(looking=False)
            self.history.assert_order()
            if not self.not_applied:
                self.history.assert_newest(confirmed=False)
            self.history.end(looking=True)
            self.history.assert_order()
            self.history.assert_newest(confirmed=True)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests", plan_once=True) as opened:
        store_lane(opened)
        yield opened


def test_the_newest_stands_whatever_happens(conn: Connection) -> None:
    violated: list[str] = []
    run(lambda: Stock(conn, violated), 8, 8)
    assert violated == []
    assert_sound(conn)


# -- bugs that are planted have to be found ------------------------------------------------------------------------


def the_last_that_came_wins(patch: pytest.MonkeyPatch) -> None:
    def by_arrival(staged: Standing, state: State, new: Standing) -> Decision:
        return decide(staged, state, Standing(max(staged.changed_at, new.changed_at), 99, new.data_hash))

    patch.setattr(receive_known, "decide", by_arrival)


def nobody_looks_at_the_lease(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Held, "check", lambda _: None)


def what_was_sent_before_is_taken_for_what_is_shown(patch: pytest.MonkeyPatch) -> None:
    """Though another call may have been carried out since."""
    patch.setattr(Wanted, "unchanged", property(lambda one: one.article.sent == one.quantity))


def what_is_accepted_is_not_noted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(send, "store_accepted", lambda *_: None)


@pytest.mark.parametrize(
    "plant",
    [
        the_last_that_came_wins,
        pytest.param(nobody_looks_at_the_lease, marks=pytest.mark.faults_full),
        pytest.param(what_was_sent_before_is_taken_for_what_is_shown, marks=pytest.mark.faults_full),
        pytest.param(what_is_accepted_is_not_noted, marks=pytest.mark.faults_full),
    ],
    ids=lambda plant: plant.__name__,
)
def test_a_planted_bug_is_found(conn: Connection, monkeypatch: pytest.MonkeyPatch, plant: Plant) -> None:
    plant(monkeypatch)
    violated: list[str] = []
    with pytest.raises(AssertionError):
        run(lambda: Stock(conn, violated), 300, 8)
    assert violated, "the plant went unseen"
