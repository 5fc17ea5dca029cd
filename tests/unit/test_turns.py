"""Whatever processes do, wake up late or sit idle: their calls together keep to the limit in every span of time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.connectors.contract import Reason, RemoteError
from shared.runtime.allowance import AHEAD_SECONDS, LATE_SECONDS, Allowance, Turns


class Row:
    """The row that hands out turns, with a clock of the test's."""

    def __init__(self, rate: float) -> None:
        self.rate, self.next, self.asked = rate, 0.0, 0

    def take(self, now: float, wanted: int, patience: float) -> Turns:
        self.asked += 1
        first = max(self.next, now)
        if first > now + patience:
            return Turns(first - now, 1 / self.rate, False)
        self.next = first + wanted / self.rate
        return Turns(first - now, 1 / self.rate, True)


class Process:
    """Makes one call after the other; oversleeps as the test says."""

    def __init__(self, row: Row) -> None:
        self.now, self._late = 0.0, 0.0
        self.allowance = Allowance(lambda n, patience: row.take(self.now, n, patience), lambda: self.now, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds + self._late
        self._late = 0.0  # the next sleep is on time again

    def call(self, idle: float, late: float) -> float:
        """Idle, then call, waking up so late; returns when the call began."""
        self.now += idle
        self._late = late
        self.allowance.take(1e9)
        return self.now


steps = st.tuples(
    st.integers(0, 2),
    st.sampled_from([0.0, 0.0, 0.0, 0.001, 0.05, 0.3, 2.0, 30.0]),
    st.sampled_from([0.0, 0.0, 0.001, 0.02, 0.03, 0.2]),
)


@given(rate=st.sampled_from([100 / 60, 20.0, 160.0, 1000.0]), plan=st.lists(steps, min_size=1, max_size=300))
def test_no_span_of_time_has_more_calls_than_the_limit_allows(
    rate: float, plan: list[tuple[int, float, float]]
) -> None:
    row = Row(rate)
    processes = [Process(row) for _ in range(3)]
    begun = sorted(processes[n].call(idle, late) for n, idle, late in plan)
    for window in (1.0, 10.0, 60.0):
        first = 0
        for last, at in enumerate(begun):
            while begun[first] < at - window:
                first += 1
            assert last - first + 1 <= rate * (window + LATE_SECONDS) + 1 + 1e-6


def test_a_busy_process_asks_the_row_now_and_then_and_a_lone_call_takes_one_turn() -> None:
    row = Row(1000.0)
    busy, lone = Process(row), Process(row)
    for _ in range(1000):
        busy.call(0.0, 0.0)
    assert row.asked <= 1.0 / AHEAD_SECONDS * 2 + 8
    lone.now = busy.now + 1.0
    asked, before = row.asked, row.next
    assert lone.call(0.0, 0.0) == pytest.approx(busy.now + 1.0)
    assert (row.asked - asked, row.next - max(before, busy.now + 1.0)) == (1, pytest.approx(0.001))


def test_whoever_cannot_wait_so_long_takes_no_turn_from_the_others() -> None:
    row = Row(0.5)
    process = Process(row)
    process.call(0.0, 0.0)
    before = row.next
    with pytest.raises(RemoteError) as refused:
        process.allowance.take(1.0)
    assert refused.value.reason is Reason.RATE_LIMITED
    assert refused.value.retry_after == pytest.approx(2.0)
    assert row.next == before
