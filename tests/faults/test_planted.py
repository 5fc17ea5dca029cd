"""The checker is checked: each planted bug must turn an invariant red, in the case that is meant for it."""

from __future__ import annotations

import json

import pytest

from tests.faults.case import parse
from tests.faults.ground import Ground
from tests.faults.planted import BUGS
from tests.faults.run import run

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]
QUICK = {"ack-before-commit", "swallow-on-decode"}
"""These are planted in every run, the others in the long ones."""

SEEN = {
    "ack-before-commit": ("crash/intake.received/kill/rabbitmq/1", {"I1"}),
    "watermark-before-confirm": ("crash/poll.moved/kill/pgmq/1", {"I1"}),
    "no-inbox": ("crash/intake.committed/kill/rabbitmq/1", {"I1"}),
    "post-again-on-timeout": ("erp/timeout_after_success/pgmq/1", {"I2"}),
    "requeue-loop": ("crash/intake.acked/kill/rabbitmq/1", {"I1", "I6"}),
    "swallow-on-decode": ("crash/intake.acked/kill/pgmq/1", {"I1"}),
    "last-come-wins": ("crash/intake.acked/kill/pgmq/1", {"I2"}),
    "settle-without-fence": ("crash/work.called/stop/pgmq/2", {"I8"}),
    "no-look-at-the-lease": ("crash/work.before-call/stop/pgmq/2", {"I2-window"}),
    "no-look-up": ("crash/work.called/kill/pgmq/1", {"I2"}),
}
"""Bug → the case that must see it, and the invariants of which at least these must be violated."""

EVENTS, PATIENCE = 300, 20.0
SEEDS = 3
"""Many of these bugs are races: where one seed's timing happens to hide the bug, the next has to show it."""


def bugs() -> list[object]:
    """Each with the mark of the runs that it belongs to."""
    return [
        pytest.param(bug, marks=pytest.mark.faults if bug in QUICK else pytest.mark.faults_full) for bug in sorted(SEEN)
    ]


def test_every_bug_has_its_case() -> None:
    assert set(SEEN) == set(BUGS)


@pytest.mark.parametrize("bug", bugs())
def test_a_planted_bug_is_seen(ground: Ground, bug: str) -> None:
    case, wanted = SEEN[bug]
    module = ("tests.faults.planted", bug)
    kind, _, seed = case.rpartition("/")
    for other in range(SEEDS):  # even and odd seeds freeze differently: stay with the kind
        line = run(ground, parse(f"{kind}/{int(seed) + 2 * other}"), module=module, size=EVENTS, patience=PATIENCE)
        if line["verdict"] == "failed":
            break
    assert line["verdict"] == "failed", json.dumps(line, indent=1)
    assert wanted <= set(line["violated"]), json.dumps(line, indent=1)
