"""CPU time of processes with all that they started, and of everybody else on the machine, from /proc.

Called by the driver around each measurement. Seconds since boot; only differences mean something.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Sample:
    """at: monotonic seconds; groups: CPU seconds by name; own: of this process; machine: of all processes there are."""

    at: float
    groups: Mapping[str, float]
    own: float
    machine: float


@dataclass(frozen=True, slots=True)
class Used:
    """Between two samples: CPU seconds by group, and how many cores were busy with something else."""

    seconds: float
    groups: Mapping[str, float]
    foreign_cores: float


def sample(groups: Mapping[str, Sequence[int]]) -> Sample:
    """Read the clocks of the processes in `groups` (name → pids of the roots)."""
    stats = _stats()
    used = {name: sum(_tree(pid, stats) for pid in pids) for name, pids in groups.items()}
    own = os.times()
    return Sample(time.monotonic(), used, own.user + own.system, _machine())


def between(before: Sample, after: Sample) -> Used:
    """What was used from `before` to `after`."""
    groups = {name: after.groups[name] - before.groups[name] for name in after.groups}
    seconds = after.at - before.at
    ours = sum(groups.values()) + after.own - before.own
    return Used(seconds, groups, max(0.0, (after.machine - before.machine - ours) / seconds))


def _stats() -> dict[int, tuple[int, float]]:
    """pid → (parent, CPU seconds, those of its ended and reaped children included)."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            text = (entry / "stat").read_text()
        except OSError:
            continue  # it ended meanwhile; its parent has its time
        fields = text.rpartition(")")[2].split()
        found[int(entry.name)] = (int(fields[1]), sum(int(field) for field in fields[11:15]) * TICK)
    return found


def _tree(root: int, stats: Mapping[int, tuple[int, float]]) -> float:
    total = stats[root][1] if root in stats else 0.0
    return total + sum(_tree(pid, stats) for pid, (parent, _) in stats.items() if parent == root)


def _machine() -> float:
    user, nice, system, _idle, _iowait, irq, softirq, steal = (
        int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) * TICK
