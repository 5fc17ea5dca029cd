"""The state table and the order of changes: pure rules, said as promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.records.change import Outcome, Standing, decide
from shared.records.states import FINAL, TRANSITIONS, WORST_FIRST, State, Verb, allowed, worst

T0 = datetime(2026, 11, 23, 10, tzinfo=UTC)


def standing(minutes: int = 0, version: int = -1, data: int = 0) -> Standing:
    """What is staged, or what comes."""
    return Standing(T0 + timedelta(minutes=minutes), version, UUID(int=data))


standings = st.builds(standing, st.integers(-3, 3), st.integers(-1, 3), st.integers(0, 3))


def test_every_state_can_be_reached_and_only_final_ones_rest() -> None:
    reached = {target for rule in TRANSITIONS.values() for target in rule.targets}
    assert reached | {State.NEVER} == set(State)
    for state in set(State) - FINAL:
        assert any(state in rule.sources for rule in TRANSITIONS.values()), f"{state} is a dead end"


def test_only_a_worker_that_holds_a_record_can_settle_it() -> None:
    assert TRANSITIONS[Verb.SETTLE].sources == {State.RUNNING}
    assert State.RUNNING not in TRANSITIONS[Verb.RETRY].sources
    assert State.RUNNING not in TRANSITIONS[Verb.CHANGE].sources


def test_the_worst_of_several_is_the_reddest() -> None:
    assert worst([State.DONE, State.WARNING, State.FAILED]) is State.FAILED
    assert worst([State.DONE, State.SKIPPED]) is State.SKIPPED
    assert set(WORST_FIRST) == set(State)


def test_identical_data_is_a_duplicate_whatever_its_time() -> None:
    assert decide(standing(0, 1, 7), State.DONE, standing(5, 9, 7)).outcome is Outcome.DUPLICATE


@pytest.mark.parametrize(
    ("minutes", "version", "outcome"),
    [
        (-1, 99, Outcome.SUPERSEDED),  # time decides before version
        (0, 1, Outcome.SUPERSEDED),
        (0, 2, Outcome.APPLIED),  # a tie: what came later is newer
        (0, 3, Outcome.APPLIED),
        (1, -1, Outcome.APPLIED),
    ],
)
def test_time_then_version_then_receipt(minutes: int, version: int, outcome: Outcome) -> None:
    assert decide(standing(0, 2, 1), State.PENDING, standing(minutes, version, 2)).outcome is outcome


@given(standings, standings, st.sampled_from(sorted(State)))
def test_a_decision_keeps_to_the_table(staged: Standing, new: Standing, state: State) -> None:
    decision = decide(staged, state, new)
    if decision.state is not None:
        assert allowed(Verb.CHANGE, state, decision.state)
    if state is State.RUNNING:
        assert decision.state is None


@given(st.lists(standings, min_size=1, max_size=8))
def test_the_newest_wins_in_whatever_order_they_come(history: list[Standing]) -> None:
    newest = max((event.changed_at, event.version) for event in history)
    latest_data = {event.data_hash for event in history if (event.changed_at, event.version) == newest}
    for events in (history, history[::-1], sorted(history, key=lambda event: event.data_hash)):
        staged = events[0]
        for event in events[1:]:
            decision = decide(staged, State.PENDING, event)
            if decision.outcome is Outcome.APPLIED or decision.confirms:
                staged = event
        assert (staged.changed_at, staged.version) == newest
        assert staged.data_hash in latest_data
