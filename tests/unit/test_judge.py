"""Outcomes become states in one place; connection errors never turn red before five days."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.connectors.contract import Reason, RemoteError
from shared.errors.entry import GIVE_UP_AFTER
from shared.errors.problem import Problem
from shared.records.claim import Claim
from shared.records.states import State
from shared.runtime.judge import CONNECTION, from_remote_error, judge
from shared.runtime.outcome import Done, Fail, Hold, Outcome, Retry, Skip, Wait, Warned
from shared.runtime.retry import next_after

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def claim(**more: Any) -> Claim:
    """A claim of an order that is tried for the first time."""
    values: dict[str, Any] = {
        "id": 1, "interface": "otto-de", "key": "4711", "was": State.PENDING, "claim_no": 1, "tries": 0,
        "intended": False, "blocked": False, "forced": False, "test": False, "payload_no": 1, "sent_no": None,
        "remote": None, "revision": 1, "due_at": NOW, "staged_seconds": 1.0, "trying_seconds": None,
        "snapshot": "1:1:", "traceparent": None, "body": b"{}", "sent_body": None,
    }  # fmt: skip
    return Claim(**(values | more))


PROBLEM = Problem("sku-unknown", "lines.0.sku", {"sku": "A"}, key="sku:A")


@pytest.mark.parametrize(
    ("said", "state", "due"),
    [
        (Done("1"), State.DONE, False),
        (Warned((PROBLEM,), "1"), State.WARNING, False),
        (Fail((PROBLEM,)), State.FAILED, False),
        (Skip(Problem("cancelled-before-import")), State.SKIPPED, False),
        (Hold(Problem("announced"), 60.0), State.PENDING, True),
        (Wait(Problem("waits-for-erp"), ("erp:otto-de",), 60.0), State.WAITING, True),
        (Retry(Problem("remote-timeout")), State.WAITING, True),
    ],
)
def test_each_outcome_has_its_state(said: Outcome, state: State, due: bool) -> None:
    settlement = judge(claim(), said, NOW, "erp")
    assert settlement.state is state
    assert (settlement.after is not None) is due


def test_a_failure_waits_for_every_key_that_its_problems_name() -> None:
    problems = (PROBLEM, Problem("payment-unmapped", "payment", {"payment": "PAYPAL"}, key="payment:PAYPAL"), PROBLEM)
    assert judge(claim(), Fail(problems), NOW, "erp").keys == ("sku:A", "payment:PAYPAL")


@pytest.mark.parametrize("reason", sorted(CONNECTION))
def test_connection_errors_stay_amber_for_five_days_and_wait_for_the_breaker(reason: Reason) -> None:
    said = from_remote_error(RemoteError(reason, "no answer"), "Xentral", called=True, lag=5.0)
    young = judge(claim(tries=400, trying_seconds=GIVE_UP_AFTER.total_seconds() - 60), said, NOW, "erp")
    assert young.state is State.WAITING
    assert young.keys == ("erp:otto-de",)
    old = judge(claim(tries=400, trying_seconds=GIVE_UP_AFTER.total_seconds() + 60), said, NOW, "erp")
    assert old.state is State.FAILED
    assert [p.code for p in old.problems] == ["gave-up", str(reason)]


@pytest.mark.parametrize("reason", list(Reason))
def test_only_an_unknown_outcome_counts_as_called(reason: Reason) -> None:
    said = from_remote_error(RemoteError(reason), "Xentral", called=True, lag=5.0)
    assert said.called is reason.outcome_unknown
    if reason.outcome_unknown and isinstance(said, Retry):
        assert said.after >= 2 * 5.0, "the look-up would not show yet what was created"


@pytest.mark.parametrize("reason", sorted(set(Reason) - CONNECTION))
def test_what_a_retry_cannot_heal_is_red_at_once(reason: Reason) -> None:
    said = from_remote_error(RemoteError(reason), "Xentral", called=True)
    assert judge(claim(), said, NOW, "erp").state is State.FAILED


def test_delays_grow_and_obey_the_remote_system() -> None:
    delays = [next_after("remote-timeout", n, 10.0, 0.0, chance=0.5) for n in range(20)]
    assert delays == sorted(delays, key=lambda d: d or 0.0)
    assert next_after("remote-rate-limited", 0, None, 3000.0, chance=0.0) == 3000.0


def test_a_problem_is_storable_whatever_a_remote_system_said() -> None:
    stored = Problem("remote-refused", values={"detail": "a\0b\ud800c" + "x" * 5000}).as_json()
    text = stored["values"]["detail"]
    assert "\0" not in text
    assert text.encode("utf-8")
    assert len(text) <= 1000
