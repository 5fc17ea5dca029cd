"""Tests of faults that are no case of the matrix write a line into the same ledger: what they did, and how it ended.

The run says by its environment where the ledger is, which part of the tests is wanted, and whether what has passed is
left out; without a ledger nothing is written and everything runs.
"""

from __future__ import annotations

import os
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults.results import Results

LEDGER, SHARD, RESUME = "CONNECT_TEST_LEDGER", "CONNECT_TEST_SHARD", "CONNECT_TEST_RESUME"
ACTIONS = {"frozen_senders": "stop", "two_at_once": "together", "outage": "outage", "scale_out": "restart"}
OVER_RABBITMQ = ("outage", "scale_out")
"""Over no other broker, and so without a parameter that names it."""

COUNTED = ("system", "alerts")
"""Fixtures that count what they published, and the faults that they planted."""


@dataclass
class Tally:
    """What one test did. Tests add what no fixture counts for them."""

    case: str
    seed: int = 1
    events: int = 0
    faults: int = 0
    counted: list[object] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    def line(self, test: str, passed: bool) -> dict[str, object]:
        """As the cases of the matrix write it; a test that fails has found something lost, doubled or old."""
        events = self.events + sum(getattr(one, "published", 0) for one in self.counted)
        faults = self.faults + sum(getattr(one, "planted", 0) for one in self.counted)
        return {
            "case": self.case, "seed": self.seed, "verdict": "passed" if passed else "failed", "violations": [],
            "events": events, "faults": {"test": faults}, "lost": 0, "doubled": 0, "test": test,
            "seconds": round(time.monotonic() - self.begun, 1), "at": round(time.time()),
        }  # fmt: skip


def case_of(item: pytest.Item) -> str:
    """kind/fault/action/broker/seed, from the module, the test's name and its parameters."""
    kind = Path(str(item.fspath)).stem.removeprefix("test_").removesuffix("_crash_points")
    given = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    broker = str(given.pop("broker_url", given.pop("broker", "rabbitmq" if kind in OVER_RABBITMQ else "none")))
    name = getattr(item, "originalname", item.name).removeprefix("test_").replace("_", "-")
    what = ":".join([name, *(str(value) for value in given.values())]).replace("/", "-")
    return f"{kind.replace('_', '-')}/{what}/{ACTIONS.get(kind, 'kill')}/{broker}/1"


def ledger() -> Results | None:
    """Where lines go, if anywhere."""
    path = os.environ.get(LEDGER)
    return Results(Path(path)) if path else None


def left_out(case: str) -> str:
    """Why the run does not want this test, "" when it does."""
    part, _, of = os.environ.get(SHARD, "1/1").partition("/")
    if zlib.crc32(case.encode()) % int(of) != int(part) - 1:
        return "belongs to another shard"
    results = ledger()
    if os.environ.get(RESUME) and results is not None and case in results.passed():
        return "has passed according to the ledger"
    return ""
