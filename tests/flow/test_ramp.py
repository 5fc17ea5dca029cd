"""When a system is back, its backlog begins with one call at a time, then two, four … and a failure puts it back."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

import pytest

from shared.db.connect import Connection, connect
from shared.errors.problem import Problem
from shared.records.states import State
from shared.runtime.breaker import Looks, close_breaker, open_breaker
from shared.runtime.outcome import Done, Outcome, Retry
from shared.runtime.stage import Held
from tests.support.spine import SLUG, assert_sound, event, store_lane, take_in
from tests.support.waiting import until
from tests.support.working import TestStage, until_states, working

pytestmark = pytest.mark.servers


class Steps:
    """Holds every call until the test lets some go, well or badly."""

    def __init__(self) -> None:
        self.waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._turns: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.free = threading.Event()

    def __call__(self, held: Held) -> Outcome:
        self.waiting.put(held.claim.key)
        well = self.free.is_set() or self._turns.get(timeout=30)
        return Done("7") if well else Retry(Problem("remote-timeout"), called=True)

    def go(self, count: int, *, well: bool = True) -> None:
        for _ in range(count):
            self._turns.put(well)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened, at_once=8)
        yield opened


def running(conn: Connection) -> int:
    row = conn.execute("SELECT count(*) FROM records WHERE state = 'running'").fetchone()
    assert row is not None
    return int(row[0])


def test_calls_at_once_grow_while_they_succeed(conn: Connection, database_url: str) -> None:
    open_breaker(conn, SLUG, "erp", "remote-timeout", Looks(first=3600.0))
    take_in(conn, *(event(f"N{n:02}") for n in range(60)))
    steps = Steps()
    with working(database_url, TestStage(steps)) as loop:
        until(lambda: loop.lanes(), "it sees that the ERP is away")
        close_breaker(conn, SLUG, "erp")
        for expected, well in ((1, True), (2, True), (4, False), (1, True), (2, True), (4, True), (8, True)):
            until(lambda: steps.waiting.qsize() == expected, f"{expected} are called at once", 10)  # noqa: B023
            if expected < 8:
                assert running(conn) == expected, "and none beside them is in hand"
            for _ in range(expected):
                steps.waiting.get(timeout=1)
            steps.go(expected, well=well)
        steps.free.set()
        steps.go(60)
        until_states(conn, State.DONE, State.WAITING)
    assert_sound(conn)
