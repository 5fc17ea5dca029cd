"""How memory and open files of the lasting processes move: looked at in quiet stretches, when nothing is under way.

The first look after the warm-up is the measure: until then caches and pools fill. What a process needs in the middle of
work comes and goes; what it still holds when nothing is left to do is what drifts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MOST_PERCENT = 5.0
FEW_MIB = 2.0
"""So much is noise of the allocator in a process of some sixty MiB, whatever percentage it makes."""


@dataclass(slots=True)
class Look:
    """One quiet stretch. minute: since the soak began; memory in bytes, files: by name of the process."""

    minute: float
    memory: Mapping[str, int]
    files: Mapping[str, int]


@dataclass(slots=True)
class Drift:
    """All looks. warm: the minute from which on a look counts."""

    warm: float
    looks: list[Look] = field(default_factory=list)

    @property
    def counted(self) -> list[Look]:
        """Those after the warm-up."""
        return [look for look in self.looks if look.minute >= self.warm]

    def percent(self, name: str) -> float:
        """From the first look that counts to the middle one of the last three, in percent."""
        held = [look.memory[name] for look in self.counted]
        if len(held) < 2:
            return 0.0
        last = sorted(held[1:][-3:])[len(held[1:][-3:]) // 2]
        return 100.0 * (last - held[0]) / held[0]

    def more_files(self, name: str) -> int:
        """By how many more files the last looks all have than the first one that counts."""
        held = [look.files[name] for look in self.counted]
        return 0 if len(held) < 2 else min(held[1:][-3:]) - held[0]

    def report(self) -> dict[str, dict[str, float]]:
        """Per process: MiB at the first and the last look, percent, files."""
        if not self.counted:
            return {}
        first, last = self.counted[0], self.counted[-1]
        return {
            name: {
                "first_mib": round(first.memory[name] / 2**20, 1),
                "last_mib": round(last.memory[name] / 2**20, 1),
                "percent": round(self.percent(name), 2),
                "files_first": first.files[name],
                "files_last": last.files[name],
            }
            for name in first.memory
        }

    def violations(self) -> list[str]:
        """What grew."""
        found = []
        for name in self.looks[0].memory if self.looks else ():
            percent, first = self.percent(name), self.counted[0].memory[name] if self.counted else 0
            if percent > MOST_PERCENT and percent * first / 100 > FEW_MIB * 2**20:
                found.append(f"memory of {name} grew by {percent:.1f} %")
            if self.more_files(name) > 3:
                found.append(f"{name} holds {self.more_files(name)} more files than at the beginning")
        return found
