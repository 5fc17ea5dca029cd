"""Medians and ranges over runs: as lines of JSON, as a table for people, and into benchmarks/README.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.driver import Plan, Run

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- results: written by `python -m benchmarks --readme` -->", "<!-- end of results -->"
UNITS = {"pipeline": "orders/s", "intake": "orders/s", "claim": "orders/s", "latency": "ms (p50)"}


@dataclass(frozen=True, slots=True)
class Result:
    """All runs of one contender in one benchmark. Undisturbed runs count alone if there are at least two."""

    plan: Plan
    name: str
    what: str
    runs: Sequence[Run]
    peer: bool = False
    ratio: float | None = None

    @property
    def counted(self) -> list[Run]:
        """The runs that the figures are made of."""
        clean = [run for run in self.runs if not run.disturbed]
        return clean if len(clean) >= 2 else list(self.runs)

    @property
    def value(self) -> float:
        """The median."""
        return median(run.value for run in self.counted)

    def as_json(self) -> dict[str, Any]:
        """One line: `ratio_to_best_peer` is null where no peer was measured."""
        runs = self.counted
        values = [run.value for run in runs]
        return {
            "benchmark": self.plan.job,
            "name": self.name,
            "what": self.what,
            "value": round(self.value, 2),
            "unit": UNITS[self.plan.job],
            "range": [round(min(values), 2), round(max(values), 2)],
            "ratio_to_best_peer": self.ratio,
            "cpu_seconds_per_1000": {key: round(median(run.cpu[key] for run in runs), 3) for key in runs[0].cpu},
            **{key: round(median(run.more[key] for run in runs), 2) for key in runs[0].more},
            "runs": len(self.runs),
            "disturbed": sum(run.disturbed for run in self.runs),
            "foreign_cores": [round(run.foreign_cores, 2) for run in self.runs],
            "exact": not any(run.wrong for run in self.runs),
        }


def compared(results: Sequence[Result]) -> list[Result]:
    """The same with ratios to the best peer: how many times as fast, of a latency how many times as soon."""
    found = []
    for result in results:
        peers = [other.value for other in results if other.peer and other.plan.job == result.plan.job]
        if peers:
            soon = result.plan.job == "latency"
            ratio = min(peers) / result.value if soon else result.value / max(peers)
            result = replace(result, ratio=round(ratio, 2))
        found.append(result)
    return found


def line(run: Run, plan: Plan) -> str:
    """One run in a few words."""
    value = (
        f"p99 {run.more['p99']} ms, p50 {run.more['p50']} ms" if plan.job == "latency" else f"{run.value:,.0f} orders/s"
    )
    disturbed = f", disturbed: {run.foreign_cores:.2f} cores busy with something else" if run.disturbed else ""
    wrong = f", NOT EXACT: {'; '.join(run.wrong)}" if run.wrong else ""
    return f"{value}, {run.cpu['total']:.3f} CPU-s per 1,000{disturbed}{wrong}"


def table(results: Sequence[Result]) -> str:
    """A Markdown table per benchmark."""
    parts = []
    for job in dict.fromkeys(result.plan.job for result in results):
        mine = [result.as_json() for result in results if result.plan.job == job]
        parts += [f"### `{job}`", ""]
        if job == "latency":
            parts += [
                "| | stored: p50 ms | done: p50 ms | range of p50 | p99 ms | max ms |",
                "|---|---|---|---|---|---|",
            ]
        else:
            parts += ["| | orders/s | range | orders a transaction |", "|---|---|---|---|"]
        parts[-2] += " CPU-s per 1,000: processes | PostgreSQL | RabbitMQ | total | runs (disturbed) |"
        parts[-1] += "---|---|---|---|---|"
        for one in mine:
            low, high = one["range"]
            if job == "latency":
                row = f"| {one['what']} | {one['stored_p50']:.1f} | {one['p50']:.1f} | {low:.1f} to {high:.1f} |"
                row += f" {one['p99']:.1f} | {one['max']:.1f} |"
            else:
                each = one["orders"] * (1 if job == "intake" else 2) / max(1, one["transactions"])
                row = f"| {one['what']} | **{one['value']:,.0f}** | {low:,.0f} to {high:,.0f} | {each:.0f} |"
            cpu = one["cpu_seconds_per_1000"]
            row += f" {cpu['processes']:.3f} | {cpu['postgres']:.3f} | {cpu['broker']:.3f} | {cpu['total']:.3f} |"
            parts.append(f"{row} {one['runs']} ({one['disturbed']}) |")
        parts.append("")
    return "\n".join(parts)


def machine() -> str:
    """Where this was measured."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def write_readme(results: Sequence[Result], settings: str) -> None:
    """Replace the results in the README."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    body = f"\nMeasured on {machine()}. {settings}\n\n{table(results)}"
    README.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}", encoding="utf-8")
