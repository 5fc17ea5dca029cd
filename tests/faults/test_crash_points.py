"""Kill the importer at every crash point of ADR 0001: nothing is lost, nothing is done twice, the books balance.

Each point is killed at its first pass, with a few plain orders, in every run. Later passes, exceptions and freezes,
with hundreds of mixed events, are cases of the fault matrix (`tests/faults/case.py`).
"""

from __future__ import annotations

import signal

import pytest

from shared.failpoint import NAMES
from tests.support.system import System, order_event
from tests.support.waiting import stopped, until

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.timeout(180)]

PUBLISHED = sorted(name for name in NAMES if name.startswith(("intake.", "work.")))
ORDERS = 12


@pytest.mark.parametrize("failpoint", PUBLISHED)
def test_a_crash_loses_nothing_and_doubles_nothing(system: System, failpoint: str) -> None:
    system.prepare()
    numbers = [f"{failpoint}-{n}" for n in range(ORDERS)]
    crashing = system.start(fault=f"{failpoint}:kill@1")
    # Beside new orders something that is refused: some points are passed only by a batch that holds more than orders.
    first, rest = numbers[: ORDERS // 2], numbers[ORDERS // 2 :]
    system.publish([*(order_event(number) for number in first), b"no event"])
    until(lambda: crashing.poll() is not None or system.states()["done"] == len(first), "it died, or made the first")
    if crashing.poll() is None:  # they came before the lanes had said what room they have: nothing was handed over
        system.publish([order_event(number) for number in rest])
        rest = []
    until(lambda: crashing.poll() is not None, f"the importer died at {failpoint}")
    assert crashing.returncode == -9
    system.publish([order_event(number) for number in rest])
    system.start("successor")
    states = system.until_settled(ORDERS)
    assert states == {"done": ORDERS}
    assert system.ledger() == dict.fromkeys(numbers, 1)
    system.assert_books_balance()
    system.assert_history_has_no_gaps()


@pytest.mark.parametrize("failpoint", ["poll.read", "poll.published", "poll.moved"])
def test_a_poll_that_crashes_is_repeated_without_harm(system: System, failpoint: str) -> None:
    system.prepare(poll_seconds=1)
    numbers = system.stand.place("otto", ORDERS)
    crashing = system.start(fault=f"{failpoint}:kill@1")
    until(lambda: crashing.poll() is not None, f"the importer died at {failpoint}")
    system.start("successor")
    assert system.until_settled(ORDERS) == {"done": ORDERS}
    assert system.ledger() == dict.fromkeys(numbers, 1)
    system.assert_books_balance()


@pytest.mark.parametrize("failpoint", ["fetch.read", "fetch.stored"])
def test_a_fetch_that_crashes_still_fills_its_receipt(system: System, failpoint: str) -> None:
    system.prepare()
    numbers = system.stand.place("otto", 3)
    system.request("import", [*numbers, "not-there"])
    crashing = system.start(fault=f"{failpoint}:kill@1")
    until(lambda: crashing.poll() is not None, f"the importer died at {failpoint}")
    system.change("UPDATE receipt_numbers SET due_at = now() WHERE due_at IS NOT NULL")
    system.start("successor")
    until(lambda: system.receipt_complete(), "the receipt is filled")
    results = dict(system.query("SELECT number, result FROM receipt_numbers"))
    assert results.pop("not-there") == "not-found"
    assert set(results.values()) <= {"taken-in", "exists"}
    assert system.until_settled(3) == {"done": 3}
    assert system.ledger() == dict.fromkeys(numbers, 1)


@pytest.mark.parametrize("failpoint", ["work.before-call", "work.called"])
def test_a_worker_frozen_around_its_call_wakes_without_harm(system: System, failpoint: str) -> None:
    """Stopped longer than its lease, then woken after its successor: it must not send what it no longer holds.

    One call at a time: a second thread could be caught in the window that ADR 1 names, between the last look at its
    lease and the sending, and this test is about what lies outside of it.
    """
    system.prepare(calls_at_once=1)
    numbers = [f"frozen-{n}" for n in range(ORDERS)]
    frozen = system.start(fault=f"{failpoint}:stop@1")
    system.publish([order_event(number) for number in numbers])
    until(lambda: stopped(frozen.pid), "the importer is frozen")
    system.start("successor")
    system.until_settled(ORDERS)
    frozen.send_signal(signal.SIGCONT)
    fenced = until(
        lambda: [line for line in system.log() if line["event"] == "record.fenced"], "the woken worker is refused", 30
    )
    assert fenced
    assert system.until_settled(ORDERS) == {"done": ORDERS}
    assert system.ledger() == dict.fromkeys(numbers, 1)
    system.assert_books_balance()
    system.assert_history_has_no_gaps()
