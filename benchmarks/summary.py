"""Medians and ranges over runs, ratios to the best peer, as lines of JSON and in a few words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from benchmarks.driver import Plan, Run

KINDS = ("page", "search", "counts", "facets", "history")
"""Of questions that `journal` asks."""

UNITS = {
    "pipeline": "orders/s",
    "intake": "orders/s",
    "claim": "orders/s",
    "latency": "ms (p50)",
    "erp": "orders/s",
    "changes": "orders/s",
    "stock": "events/s",
    "stock-latency": "ms (p50)",
    "growth": "% more CPU per order",
    "memory": "MB (peak)",
    "journal": "ms (p95)",
    "scrape": "ms (p95)",
    "scale": "orders/s",
    "whole": "CPU-s per 1,000",
    "mail-latency": "s (p50)",
    "alarms": "ms a round",
    "floors": "a second",
}


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
            **{key: round(median(run.more[key] for run in runs), 3) for key in runs[0].more},
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
    value = {
        "latency": f"p99 {run.more.get('p99')} ms, p50 {run.more.get('p50')} ms",
        "erp": f"{run.value:.1f} orders/s, {run.more.get('calls_per_order')} calls each, {run.more.get('cores')} cores,"
        f" p95 {run.more.get('p95_alone')} ms, {run.more.get('p95_beside_slow')} ms beside a slow ERP",
        "changes": f"{run.value:.1f} orders/s",
        "stock": f"{run.value:,.0f} events/s, {run.more.get('calls_to_send', 0):,.0f} calls to send,"
        f" {run.more.get('calls_to_read', 0):,.0f} to read",
        "stock-latency": f"p50 {run.more.get('p50')} ms, max {run.more.get('max')} ms",
        "mail-latency": f"p50 {run.more.get('p50')} s, p95 {run.more.get('p95')} s, max {run.more.get('max')} s",
        "growth": f"{run.value:+.1f} % CPU per order",
        "memory": f"peak {run.value:.0f} MB, {run.more.get('mb_when_warm')} MB when warm",
        "journal": ", ".join(
            f"{kind} p50 {run.more.get(f'{kind}_p50')} p95 {run.more.get(f'{kind}_p95')} ms" for kind in KINDS
        ),
        "scrape": f"p95 {run.value:.1f} ms of the slowest service, the Journal's {run.more.get('journal_kb')} kB,"
        f" counted after {run.more.get('counted_after_seconds')} s",
        "alarms": f"{run.value:,.0f} ms with news ({run.more.get('cpu_ms')} of them CPU),"
        f" {run.more.get('nothing_ms')} ms without, {run.more.get('over_ms')} ms when over, {run.more.get('mb')} MB",
        "whole": f"{run.more.get('import_per_second')} orders/s in, {run.more.get('export_per_second')} back,"
        f" {run.more.get('index_per_second')} indexed,"
        f" {run.more.get('database_bytes', 0):,.0f} bytes each, {run.more.get('archive_bytes', 0):,.0f} in the archive",
        "floors": f"{run.value:,.0f} a second",
    }.get(plan.job, f"{run.value:,.0f} orders/s")
    disturbed = f", disturbed: {run.foreign_cores:.2f} cores busy with something else" if run.disturbed else ""
    wrong = f", NOT EXACT: {'; '.join(run.wrong)}" if run.wrong else ""
    return f"{value}, {run.cpu['total']:.3f} CPU-s per 1,000{disturbed}{wrong}"
