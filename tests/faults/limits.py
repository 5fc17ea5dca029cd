"""Seconds within which events must flow again, and answers must come; the importer runs through all of these faults."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.faults.case import CLUSTER_FAULTS

LIMITS: Mapping[str, float] = {
    "database/restart": 5.0, "database/kill": 5.0, "broker/restart": 30.0, "broker/kill": 30.0, "broker/cut": 30.0,
    "failover/kill": 10.0, "failover/switch": 10.0,
    **{f"cluster/{fault}, published": 10.0 for fault in CLUSTER_FAULTS},
    **{f"cluster/{fault}": 30.0 for fault in CLUSTER_FAULTS},
    "intake/away": 30.0, "intake/away, p95": 0.3,
    "broker/freeze, noticed": 30.0, "broker/freeze, after the thaw": 30.0,
}  # fmt: skip
"""Seconds within which events flow again; the importer runs through all of these."""


def late(recoveries: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """What took longer than it may."""
    for name, limit in LIMITS.items():
        if (worst := max(recoveries.get(name, (0.0,)))) > limit:
            yield f"{name}: {worst} s, at most {limit} s are allowed"


def worst(lines: Iterable[Mapping[str, Any]]) -> str:
    """Of everything in the ledger that has a limit: how often it was measured and the worst, as a table in Markdown."""
    seen: dict[str, list[float]] = {}
    for line in lines:
        for name, seconds in line.get("recovery", {}).items():
            if name in LIMITS:
                seen.setdefault(name, []).extend(seconds)
    rows = ["| until events flow again, or as named | measured | worst (s) | allowed (s) |", "|---|---:|---:|---:|"]
    for name, seconds in sorted(seen.items()):
        rows.append(f"| {name} | {len(seconds)} | {max(seconds):.2f} | {LIMITS[name]:g} |")
    return "\n".join(rows)
