"""Runs a state machine: the same examples each time, unless CONNECT_TEST_SEED names others."""

from __future__ import annotations

import os
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def run(make: Callable[[], RuleBasedStateMachine], examples: int, steps: int = 30) -> None:
    """So many examples, or as many as CONNECT_TEST_EXAMPLES says where that is more; nothing is made smaller."""
    given = os.environ.get("CONNECT_TEST_SEED")
    chosen = settings(
        max_examples=max(examples, int(os.environ.get("CONNECT_TEST_EXAMPLES", "0"))),
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=given is None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    def factory() -> RuleBasedStateMachine:
        return make()

    run_state_machine_as_test(seed(int(given))(factory) if given else factory, settings=chosen)  # type: ignore[arg-type]
