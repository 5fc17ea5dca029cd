"""Intake, claims, leases, settles, retries and keys in any order agree with a model; and the comparison finds bugs.

The long profile: CONNECT_TEST_EXAMPLES=5000. Examples are always the same ones unless CONNECT_TEST_SEED names others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from shared.db.connect import Connection, connect
from shared.records import claim, keys, receive_known, settle
from shared.records.change import Decision, Outcome, Standing, decide
from shared.records.hashes import event_hash
from shared.records.receive import Hold
from shared.records.states import State
from tests.support import model
from tests.support.machine import Machine

pytestmark = pytest.mark.servers
EXAMPLES = int(os.environ.get("CONNECT_TEST_EXAMPLES", "25"))
STEPS = 40

Make = Callable[[], Machine]
Plant = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture
def make(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes a machine; all share two connections."""
    monkeypatch.setattr("shared.records.keys.FOLLOW_SECONDS", model.FOLLOW)
    with connect(database_url, "tests", statement_timeout=5) as conn, connect(database_url, "raises") as other:
        yield lambda: Machine(conn, other)


def run(make: Make, examples: int, *phases: Phase) -> None:
    """Examples of one seed; without a seed of its own a run is the same as the last."""
    given = os.environ.get("CONNECT_TEST_SEED")
    chosen = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        derandomize=given is None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )

    def factory() -> Machine:
        return make()

    run_state_machine_as_test(seed(int(given))(factory) if given else factory, settings=chosen)  # type: ignore[arg-type]


@pytest.mark.timeout(100 + EXAMPLES * 2)
def test_whatever_happens_the_records_agree_with_the_model(make: Make) -> None:
    run(make, EXAMPLES, Phase.generate)


# -- bugs that are planted have to be found ------------------------------------------------------------------------


def settle_without_fence(patch: pytest.MonkeyPatch) -> None:
    for one in (True, False):
        patch.setitem(settle._SETTLE, one, _without(settle._SETTLE[one], "r.claim_no = s.claim_no AND "))


def settle_overlooks_the_newer_copy(patch: pytest.MonkeyPatch) -> None:
    for one in (True, False):
        patch.setitem(settle._SETTLE, one, _without(settle._SETTLE[one], "r.payload_no > s.handled_no OR "))


def settle_leaves_blocks_behind(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(settle, "block", lambda *_: None)


def settle_overlooks_what_came_true_meanwhile(patch: pytest.MonkeyPatch) -> None:
    lock_keys = keys.lock_keys

    def locked_only(*all_: Any) -> set[tuple[str, str]]:
        lock_keys(*all_)
        return set()

    patch.setattr(settle, "lock_keys", locked_only)


def the_last_that_came_wins(patch: pytest.MonkeyPatch) -> None:
    def by_arrival(staged: Standing, state: State, new: Standing) -> Decision:
        return decide(staged, state, Standing(max(staged.changed_at, new.changed_at), 99, new.data_hash))

    patch.setattr(receive_known, "decide", by_arrival)


def the_same_again_does_not_count_as_newer(patch: pytest.MonkeyPatch) -> None:
    def unconfirmed(staged: Standing, state: State, new: Standing) -> Decision:
        decision = decide(staged, state, new)
        return decision if decision.outcome is not Outcome.DUPLICATE else Decision(Outcome.DUPLICATE)

    patch.setattr(receive_known, "decide", unconfirmed)


def events_are_known_by_id_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("shared.runtime.prepare.event_hash", lambda _, event_id: event_hash("", event_id))


def a_handover_is_no_intent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("shared.runtime.intake.Hold", lambda seconds, _: Hold(seconds, False))


def a_release_counts_as_a_lost_lease(patch: pytest.MonkeyPatch) -> None:
    release = claim.release

    def counted(conn: Connection, claims: Sequence[claim.Claim]) -> None:
        release(conn, claims)
        conn.execute("UPDATE records SET lost = lost + 1 WHERE id = ANY(%s)", ([one.id for one in claims],))

    patch.setattr(claim, "release", counted)


def a_read_back_forgets_who_is_in_other_hands(patch: pytest.MonkeyPatch) -> None:
    for one in (True, False):
        patch.setitem(settle._SETTLE, one, _without(settle._SETTLE[one], " OR r.recheck"))


def leases_end_too_early(patch: pytest.MonkeyPatch) -> None:
    early = claim._CLAIM[claim.Kind.NORMAL].replace("due_at <= now()", "due_at <= now() + interval '1 hour'")
    patch.setitem(claim._CLAIM, claim.Kind.NORMAL, early)


def _without(statement: str, part: str) -> str:
    assert part in statement, "the statement has changed: plant the bug anew"
    return statement.replace(part, "")


@pytest.mark.parametrize(
    "plant",
    [
        settle_without_fence,
        pytest.param(settle_overlooks_the_newer_copy, marks=pytest.mark.faults_full),  # takes longest to find
        settle_leaves_blocks_behind,
        settle_overlooks_what_came_true_meanwhile,
        the_last_that_came_wins,
        the_same_again_does_not_count_as_newer,
        events_are_known_by_id_alone,
        a_handover_is_no_intent,
        a_release_counts_as_a_lost_lease,
        pytest.param(a_read_back_forgets_who_is_in_other_hands, marks=pytest.mark.faults_full),  # takes longest to find
        pytest.param(leases_end_too_early, marks=pytest.mark.faults_full),  # takes longest to find
    ],
    ids=lambda plant: plant.__name__,
)
def test_a_planted_bug_is_found(make: Make, monkeypatch: pytest.MonkeyPatch, plant: Plant) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        run(make, 300, Phase.generate)
