"""The breaker and the rate of one side, as rows that many workers share, agree with a model of a few lines.

Open: nobody calls. Half-open: one probe, and when its minute is over another. Closing sets due what had been tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.db.connect import Connection, connect
from shared.records.claim import Kind, Quota, claim
from shared.records.settle import settle
from shared.records.states import State
from shared.runtime import breaker
from shared.runtime.breaker import LOOK_LEASE_SECONDS, Looks, close_breaker, keep_open, open_breaker, take_look
from shared.runtime.ramp import Ramp
from tests.models.running import run
from tests.support.spine import SLUG, STAGE, event, settlement, store_lane, take_in

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
LOOKS = Looks(4.0, 60.0)
SECOND = 1.0
Plant = Callable[[pytest.MonkeyPatch], None]
RESET = (
    "UPDATE side_states SET breaker = 'closed', failures = 0, opened_at = NULL, retry_at = NULL, code = NULL,"
    " next_call_at = now() - interval '1 hour' WHERE interface = %s"
)


class Breaker(RuleBasedStateMachine):
    """Workers that open it, probes that look, time that passes. Orders wait for it."""

    def __init__(self, conn: Connection) -> None:
        super().__init__()
        self.conn = conn
        self.state, self.failures, self.retry = "closed", 0, 0.0
        self.now = 0.0
        self.probing: set[int] = set()
        self.waiting: set[int] = set()
        self.orders = 0

    @initialize()
    def begin(self) -> None:
        self.conn.execute(RESET, (SLUG,))

    @rule()
    def a_call_fails_for_the_fifth_time(self) -> None:
        """Of many workers that see it one opens the breaker."""
        opened = [open_breaker(self.conn, SLUG, "erp", "remote-timeout", LOOKS) for _ in range(3)]
        assert opened == [self.state == "closed", False, False]
        if self.state == "closed":
            self.state, self.failures, self.retry = "open", 1, self.now + LOOKS.first

    @rule()
    def an_order_is_tried_in_vain(self) -> None:
        """It waits with the key of its side; only what was tried waits so."""
        if self.state != "closed":
            return
        self.orders += 1
        take_in(self.conn, event(f"B{id(self)}-{self.orders}"))
        (held,) = claim(self.conn, STAGE, [Quota(SLUG, 1, 60.0)], Kind.NORMAL, intends=False)
        settle(self.conn, [settlement(held, State.WAITING, f"erp:{SLUG}", after=3600.0, tries=1, trying=True)])
        self.waiting.add(held.id)

    @rule(n=st.integers(1, 3))
    def probes_look(self, n: int) -> None:
        """However many ask: one at a time looks, and only when it is time to."""
        took = [take_look(self.conn, SLUG, "erp") for _ in range(n)]
        able = self.state != "closed" and self.retry <= self.now
        assert took == [able, *[False] * (n - 1)]
        if able:
            self.state, self.retry = "half-open", self.now + LOOK_LEASE_SECONDS

    @rule()
    def the_look_finds_it_away(self) -> None:
        keep_open(self.conn, SLUG, "erp", "remote-timeout", LOOKS)
        if self.state == "half-open":
            self.retry = self.now + min(LOOKS.last, LOOKS.first * 2 ** min(self.failures, 10))
            self.state, self.failures = "open", self.failures + 1

    @precondition(lambda self: self.state == "half-open")
    @rule()
    def the_look_finds_it_well(self) -> None:
        woken = close_breaker(self.conn, SLUG, "erp")
        assert woken == len(self.waiting)
        assert close_breaker(self.conn, SLUG, "erp") == 0, "it closes once"
        self.state, self.failures, self.retry = "closed", 0, 0.0
        due = self.conn.execute(
            "SELECT count(*) FROM records WHERE id = ANY(%s) AND due_at <= now() + interval '11 seconds'",
            (list(self.waiting),),
        ).fetchone()
        assert due == (len(self.waiting),)
        self.conn.execute("DELETE FROM blocks WHERE record_id = ANY(%s)", (list(self.waiting),))
        self.conn.execute("UPDATE records SET state = 'done', due_at = NULL WHERE id = ANY(%s)", (list(self.waiting),))
        self.waiting.clear()

    @rule(seconds=st.sampled_from([1, 4, 9, 33, 61]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        self.conn.execute(
            "UPDATE side_states SET retry_at = retry_at - make_interval(secs => %s) WHERE interface = %s",
            (seconds, SLUG),
        )

    @invariant()
    def the_row_agrees(self) -> None:
        row = self.conn.execute(
            "SELECT breaker, failures, extract(epoch FROM retry_at - now())::float8 FROM side_states"
            " WHERE interface = %s AND side = 'erp'",
            (SLUG,),
        ).fetchone()
        assert row is not None
        assert (row[0], row[1]) == (self.state, self.failures)
        assert (row[2] is None) == (self.state == "closed")
        if row[2] is not None:
            # Real time goes on, too: it may be earlier by as long as the example has taken so far.
            assert row[2] <= self.retry - self.now + SECOND
            assert row[2] >= self.retry - self.now - 30


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests", plan_once=True) as opened:
        store_lane(opened)
        yield opened


def test_the_breaker_agrees_with_the_model(conn: Connection) -> None:
    run(lambda: Breaker(conn), 12, 20)


# -- bugs that are planted have to be found ------------------------------------------------------------------------


def everybody_probes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(breaker, "LOOK_LEASE_SECONDS", -1.0)


def a_look_comes_before_its_time(patch: pytest.MonkeyPatch) -> None:
    def eager(conn: Connection, interface: str, side: str) -> bool:
        conn.execute("UPDATE side_states SET retry_at = now() WHERE breaker = 'open'")
        return take_look(conn, interface, side)

    patch.setitem(globals(), "take_look", eager)


def closing_wakes_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(breaker, "raise_key", lambda *_: 0)


def looks_do_not_become_rarer(patch: pytest.MonkeyPatch) -> None:
    def constant(conn: Connection, interface: str, side: str, code: str, looks: Looks) -> None:
        keep_open(conn, interface, side, code, Looks(looks.first, looks.first))

    patch.setitem(globals(), "keep_open", constant)


PLANTS = [everybody_probes, closing_wakes_nobody]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(conn: Connection, monkeypatch: pytest.MonkeyPatch, plant: Plant) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        run(lambda: Breaker(conn), 40, 20)


# -- how it opens and closes in a worker -----------------------------------------------------------------------------


class Ramps(RuleBasedStateMachine):
    """After it closes, calls come back one, two, four at a time, and one failure puts them back to one."""

    FULL = 8

    def __init__(self) -> None:
        super().__init__()
        self.ramp, self.limit, self.well = Ramp(self.FULL), 0, 0  # 0: no limit

    @rule()
    def closes(self) -> None:
        self.ramp.begin()
        self.limit, self.well = 1, 0

    @rule()
    def fares_badly(self) -> None:
        self.ramp.note(away=True)
        if self.limit:
            self.limit, self.well = 1, 0

    @rule(times=st.integers(1, 5))
    def fares_well(self, times: int) -> None:
        for _ in range(times):
            self.ramp.note(away=False)
            if self.limit:
                self.well += 1
                if self.well == self.limit:
                    self.limit, self.well = self.limit * 2, 0
                if self.limit >= self.FULL:
                    self.limit = 0

    @invariant()
    def the_limit_agrees(self) -> None:
        assert (self.ramp.limit or 0) == self.limit


def test_the_ramp_agrees_with_the_model() -> None:
    run(Ramps, 60)
