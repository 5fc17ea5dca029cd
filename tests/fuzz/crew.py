"""The processes of a run, and what each target gets of its inputs."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.fuzz import answers, decoding, filters, mapping
from tests.fuzz.run import Findings, Share, fuzz
from tests.fuzz.target import Target

TARGETS: Mapping[str, Target] = {
    each.name: each for each in (decoding.TARGET, mapping.TARGET, filters.TARGET, answers.TARGET)
}
SHARES: Mapping[str, float] = {"decode": 0.4, "mapping": 0.25, "filter": 0.3, "answer": 0.05}
"""How many of the inputs each gets; answers are slow, since each is a whole conversation."""

BATCH = 500
Progress = Callable[[int, int], None]
"""Told after each batch: how many inputs it had, and how many findings there are so far."""


def work_off(
    shares: Mapping[str, float], inputs: int, skip: int, seed: int, workers: int, folder: Path,
    following: Callable[[int], Progress],
) -> list[dict[str, Any]]:  # fmt: skip
    """Check them all, or until somebody interrupts; a line for the ledger of each target.

    skip: inputs of the seed that come before; following: makes what is told how it goes.
    """
    whole = sum(shares.values())
    tasks = [
        (name, seed, first, min(BATCH, end - first), folder)
        for name, share in shares.items()
        for begin, end in [(round(skip * share / whole), round((skip + inputs) * share / whole))]
        for first in range(begin, end, BATCH)
    ]
    tasks.sort(key=lambda task: task[2])  # in turn, so that the time left can be told
    lines: dict[str, dict[str, Any]] = {}
    progress = following(sum(task[3] for task in tasks))
    with get_context("fork").Pool(workers, _leave_interrupts_to_the_parent) as pool, suppress(KeyboardInterrupt):
        for share, counts in pool.imap_unordered(_batch, tasks):
            line = lines.setdefault(
                share.target,
                {"target": share.target, "seed": seed, "inputs": 0, "seconds": 0.0, "outcomes": {}, "findings": {}},
            )
            line["inputs"] += share.inputs
            line["seconds"] = round(line["seconds"] + share.seconds, 2)
            for field, found in (("outcomes", share.outcomes), ("findings", counts)):
                for name, count in found.items():
                    line[field][name] = line[field].get(name, 0) + count
            progress(share.inputs, sum(sum(each["findings"].values()) for each in lines.values()))
    return [{**line, "at": round(time.time())} for line in lines.values()]


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _batch(task: tuple[str, int, int, int, Path]) -> tuple[Share, dict[str, int]]:
    name, seed, first, count, folder = task
    findings = Findings(folder)
    return fuzz(TARGETS[name], seed, first, count, findings), dict(findings.counts)
