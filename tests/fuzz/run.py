"""Draws inputs, checks them, and keeps what broke a rule. An input is named by target, seed and number."""

from __future__ import annotations

import hashlib
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.fuzz.target import Target, Wrong

SLOW_SECONDS = 2.0
"""Of the processor's time: no input of a kilobyte is worth more."""

Tick = Callable[[int], None]


@dataclass(slots=True)
class Findings:
    """What broke a rule: one input of each kind is kept, the others are counted."""

    folder: Path | None
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, target: str, number: int, given: bytes, error: Exception) -> None:
        """Keep the bytes of the first of its kind, and what happened."""
        kind = f"{target} {type(error).__name__} {_place(error)}"
        self.counts[kind] += 1
        if self.counts[kind] > 1 or self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{target}-{hashlib.sha256(given).hexdigest()[:12]}.bin"
        file.write_bytes(given)
        told = "".join(traceback.format_exception(error))
        file.with_suffix(".txt").write_text(f"{kind}, input {number}\n\n{told}", encoding="utf-8", errors="replace")


@dataclass(slots=True)
class Share:
    """What became of the inputs of one target. seconds: of the processor."""

    target: str
    inputs: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)


def drawn(target: Target, seed: int, number: int) -> bytes:
    """The input with this number, always the same one."""
    return target.draw(Random(f"{target.name}:{seed}:{number}"))


def fuzz(target: Target, seed: int, first: int, count: int, findings: Findings, tick: Tick = lambda _: None) -> Share:
    """Check the inputs from `first` on."""
    share = Share(target.name)
    begun = time.process_time()
    for number in range(first, first + count):
        given = drawn(target, seed, number)
        before = time.process_time()
        try:
            outcome = target.check(given)
            if time.process_time() - before > SLOW_SECONDS:
                raise Wrong(f"took longer than {SLOW_SECONDS} s")
        except Exception as error:
            outcome = "FINDING"
            findings.add(target.name, number, given, error)
        share.outcomes[outcome] += 1
        share.inputs += 1
        tick(number)
    share.seconds = time.process_time() - begun
    return share


def _place(error: Exception) -> str:
    """Where it was raised; a broken rule by its words."""
    if isinstance(error, Wrong):
        return str(error).partition(":")[0][:80]
    frames = traceback.extract_tb(error.__traceback__)
    ours = next(
        (each for each in reversed(frames) if "/shared/" in each.filename or "/services/" in each.filename), None
    )
    last = ours or frames[-1]
    return f"{Path(last.filename).parent.name}/{Path(last.filename).name}:{last.lineno}"
