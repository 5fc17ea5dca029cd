"""The quick share of the fault matrix: each kind of fault once. A violated invariant is red, and names its replay."""

from __future__ import annotations

import json

import pytest

from tests.faults.case import FEW_EVENTS, Case, quick
from tests.faults.ground import CLUSTER, Ground
from tests.faults.run import run

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.timeout(300)]


def cases() -> list[object]:
    """Those of three nodes, which take half a minute to start, only where somebody asks for faults alone."""
    return [
        pytest.param(case, marks=[pytest.mark.faults_full] * (case.place == CLUSTER), id=case.id) for case in quick()
    ]


@pytest.mark.parametrize("case", cases())
def test_every_invariant_holds(ground: Ground, case: Case) -> None:
    line = run(ground, case, size=FEW_EVENTS)
    again = f"replay: python -m tests.faults {case.id} --events {FEW_EVENTS}\n"
    assert line["verdict"] == "passed", again + json.dumps(line, indent=1)
    assert sum(line["faults"].values()) > 0, "no fault was injected"
