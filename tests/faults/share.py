"""Which of many alike cases run with every `make test`: some telling ones. The others run with `make faults`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pytest


def share(cases: Sequence[str], always: Collection[str]) -> list[Any]:
    """The cases to parametrise with; all but those in `always` are marked `faults_full`."""
    assert set(always) <= set(cases), f"no such cases: {set(always) - set(cases)}"
    return [case if case in always else pytest.param(case, marks=pytest.mark.faults_full) for case in cases]
