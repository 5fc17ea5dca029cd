"""The tests that belong to a run beside the matrix: the flows back, alarms, bulk runs, outages, planted bugs, chaos.

They stand in one ledger with the cases of the matrix, and take part in its shards and in `--resume`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.faults.tally import LEDGER, RESUME, SHARD
from tests.support.sandbox import PROJECT

NAMES = (
    "export_crash_points", "stock_crash_points", "hint_crash_points", "frozen_senders", "two_at_once", "there_and_back",
    "alert_crash_points", "run_crash_points", "outage", "mixed_versions", "scale_out", "http_intake",
    "isolation", "planted", "planted_back", "chaos",
)  # fmt: skip
MODEL = "tests/flow/test_model.py"
ORDERS = "10000"
"""Of each broker in the test that kills everything at random."""


def files() -> list[str]:
    """Those that are there, relative to the project."""
    names = [f"tests/faults/test_{name}.py" for name in NAMES]
    return [*(name for name in names if (PROJECT / name).exists()), MODEL]


def run_flows(ledger: Path, shard: str, resume: bool, workers: int) -> int:
    """Run them all; 0 when every one passed."""
    environment = {"CONNECT_TEST_ORDERS": ORDERS} | os.environ
    environment |= {LEDGER: str(ledger.resolve()), SHARD: shard, RESUME: "1" if resume else ""}
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), "-m", "faults or faults_full or servers"]
    return subprocess.run([*command, *files()], cwd=PROJECT, env=environment).returncode
