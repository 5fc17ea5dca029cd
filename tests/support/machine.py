"""Does to the real spine and to the model whatever hypothesis thinks of, and compares the two after every step.

Sequential, but for raises, which stay open while other things happen: what their transaction has locked is left alone
meanwhile, as everybody else would wait for it.
"""

from __future__ import annotations

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from shared.connectors.contract import Reason
from shared.records import actions, keys
from shared.records import claim as claiming
from shared.records.claim import Kind
from shared.records.states import State
from shared.runtime import breaker
from shared.runtime.intake import Intake
from tests.support.agreement import assert_agrees, assert_fenced, assert_nothing_forgotten
from tests.support.drawn import KEYS, shorter, which
from tests.support.spine import SLUG, STAGE, nothing
from tests.support.workers import Workers


class Machine(Workers):
    """The other half: time passes, people act, keys come true; and all is compared after every step."""

    # -- time --------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.model.orders)
    @rule(n=which)
    def time_passes(self, n: int) -> None:
        order = self._free(n)
        if order is not None:
            self._come_due([order])

    @precondition(lambda self: self.model.orders)
    @rule()
    def much_time_passes(self) -> None:
        self._come_due(list(self.model.orders.values()))

    @precondition(lambda self: self._holders())
    @rule(times=st.sampled_from([1, 1, 1, 2, 5]))
    def workers_die(self, times: int) -> None:
        """What they held is claimed again and again, each time once its lease is over."""
        for _ in range(times):
            self._come_due([order for order in self.model.orders.values() if order.state is State.RUNNING])
            self.claim(Kind.NORMAL, 3)
            self.claim(Kind.SUSPECT, 3)

    @precondition(lambda self: any(order.lost > 2 for order in self.model.orders.values()))
    @rule()
    def give_up_on_the_hopeless(self) -> None:
        self.model.tick()
        found = claiming.fail_lost(self.conn, STAGE, [SLUG])
        assert found == self.model.lose()

    # -- people and keys ---------------------------------------------------------------------------------------------

    @rule(mode=st.sampled_from(["live", "live", "paused", "test"]))
    def set_mode(self, mode: str) -> None:
        self.conn.execute("UPDATE interfaces SET mode = %s", (mode,))
        self.model.mode = mode
        self.intake = Intake(nothing, self.handover)  # the old one may believe for a second what it knew

    @precondition(lambda self: self.model.orders)
    @rule(n=which)
    def retry(self, n: int) -> None:
        order = self._free(n)
        if order is None:
            return
        self.model.tick()
        found = actions.retry(self.conn, [order.id], "tests")
        assert found.done == ([order.id] if self.model.retry(order) else [])

    @precondition(lambda self: self.raising is None and (self.held or self._blocking()))
    @rule(key=st.sampled_from(KEYS))
    def key_comes_true(self, key: str) -> None:
        raising = self.model.begin_raise(key)
        with self.conn.transaction():
            assert keys.raise_key(self.conn, SLUG, key) == len(raising.woken)
        self.model.end_raise(raising)

    @precondition(lambda self: self.raising is None and self._blocking())
    @rule(n=which)
    def what_blocks_comes_true(self, n: int) -> None:
        self.key_comes_true(shorter(self._blocking(), n))

    def _blocking(self) -> list[str]:
        return sorted({key for order in self.model.orders.values() for key in order.keys})

    @precondition(lambda self: self.raising is None and (self.held or self._blocking()))
    @rule(n=which)
    def key_begins_to_come_true(self, n: int) -> None:
        key = shorter(self._blocking() or KEYS, n)
        self.raising = self.model.begin_raise(key)
        self.open = self.other.transaction()
        self.open.__enter__()
        assert keys.raise_key(self.other, SLUG, key) == len(self.raising.woken)

    @precondition(lambda self: self.raising is not None)
    @rule(commits=st.sampled_from([True, True, False]))
    def raise_ends(self, commits: bool) -> None:
        assert self.raising is not None
        raising, self.raising = self.raising, None
        self._end(commits)
        if commits:
            self.model.end_raise(raising)

    def _end(self, commits: bool) -> None:
        transaction, self.open = self.open, None
        if commits:
            transaction.__exit__(None, None, None)
        elif transaction is not None:
            transaction.__exit__(psycopg.Rollback, psycopg.Rollback(transaction), None)

    @precondition(lambda self: self.raising is None and (self.held or self._blocking()))
    @rule()
    def breaker_opens_or_closes(self) -> None:
        if not self.breaker_open:
            assert breaker.open_breaker(self.conn, SLUG, "erp", str(Reason.UNREACHABLE), breaker.Looks())
        assert not breaker.open_breaker(self.conn, SLUG, "erp", str(Reason.UNREACHABLE), breaker.Looks())
        if self.breaker_open:
            raising = self.model.begin_raise(f"erp:{SLUG}")
            assert breaker.close_breaker(self.conn, SLUG, "erp") == len(raising.woken)
            assert breaker.close_breaker(self.conn, SLUG, "erp") == 0
            self.model.end_raise(raising)
        self.breaker_open = not self.breaker_open

    # -- after every step --------------------------------------------------------------------------------------------

    @invariant()
    def agree(self) -> None:
        assert_agrees(self.conn, self.model)

    def teardown(self) -> None:
        """In the end: who still holds what, and whether all that is owed work comes up once its time is there."""
        self._end(False)
        if self.model.arrived:
            assert_fenced(self.conn, self.model, [held.claim for held in self.held])
            assert_nothing_forgotten(self.conn, self.model)
