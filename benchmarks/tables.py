"""Results as Markdown: a table and a chart per benchmark, into benchmarks/README.md if asked for."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import charts
from benchmarks.charts import Bar
from benchmarks.scrape import SERVICES
from benchmarks.sizes import NAMES
from benchmarks.summary import KINDS, Result

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- results: written by `python -m benchmarks --readme` -->", "<!-- end of results -->"
_CPU = ["CPU-s per 1,000: processes", "PostgreSQL", "RabbitMQ", "total", "runs (disturbed)"]


def table(results: Sequence[Result]) -> str:
    """A Markdown table per benchmark."""
    jobs = dict.fromkeys(result.plan.job for result in results)
    return "\n".join(f"### `{job}`\n\n{_one([r for r in results if r.plan.job == job])}\n" for job in jobs)


def machine() -> str:
    """Where this was measured."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def write_readme(results: Sequence[Result]) -> None:
    """Replace the sections of the benchmarks that were measured; the others stay."""
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    old, _, after = rest.partition(END)
    sections = {part.split("`", 1)[0]: part.split("\n", 1)[1].strip() for part in old.split("### `")[1:]}
    for job in dict.fromkeys(result.plan.job for result in results):
        mine = [result for result in results if result.plan.job == job]
        sections[job] = f"{_measured(mine[0])}\n\n{_one(mine)}\n\n{_chart(job, mine)}".strip()
    body = "\n\n".join(f"### `{job}`\n\n{sections[job]}" for job in NAMES if job in sections)
    README.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", encoding="utf-8")


def _measured(result: Result) -> str:
    plan = result.plan
    facts = {
        "latency": f"{plan.rate:g} orders a second for {plan.seconds:g} s after a warm-up",
        "memory": f"{plan.orders:,} events",
        "erp": f"{plan.orders:,} orders a run into an ERP that answers in 200 ms and allows 32 calls at once",
        "changes": f"{plan.orders:,} orders with a parcel each, read in an ERP that answers in 100 ms",
        "stock": f"{plan.orders:,} changes of 5,000 articles (Zipf), published at {plan.stock_rate:,.0f} a second",
        "alarms": "1,000 subscriptions of two recipients each, 100 interfaces; news: a new cause in every interface",
        "journal": f"{plan.records:,} records and six times as many transitions; CPU per 1,000 questions",
        "scale": f"{plan.orders:,} orders a run, with a tenth of a core half as many for each importer; three nodes",
        "whole": f"{plan.orders:,} orders, one parcel each",
        "scrape": f"{plan.records:,} records and six times as many transitions; CPU-s in 10 s, Journal and PostgreSQL",
        "stock-latency": "lone changes, 0.4 s apart, until the marketplace has accepted them",
        "mail-latency": "failing orders, each of a cause of its own, until the mail server has the mail",
        "claim": f"{plan.orders:,} orders a run, {plan.paused:,} due orders of a paused interface beside them",
    }
    what = facts.get(plan.job, f"{plan.orders:,} orders a run")
    what += (
        ", a fifth for peers"
        if plan.job == "pipeline"
        else ", less than a third for the peer"
        if plan.job == "erp"
        else ""
    )
    return f"{datetime.now(UTC):%Y-%m-%d}, {machine()}. {what[0].upper()}{what[1:]}."


def _one(results: Sequence[Result]) -> str:
    rows = [_row(result.plan.job, result.as_json()) for result in results]
    titles = [*_titles(results[0]), *_CPU]
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _titles(result: Result) -> list[str]:
    few, many = result.plan.growth
    return {
        "latency": ["", "stored: p50 ms", "done: p50 ms", "range of p50", "p99 ms", "max ms", "ratio to best peer"],
        "growth": [
            "",
            "more CPU per order, %",
            "range",
            f"CPU-s per 1,000 at {few:,}",
            f"at {many:,}",
            f"orders/s at {few:,}",
            f"at {many:,}",
        ],
        "erp": [
            "",
            "orders/s",
            "calls/s",
            "of what it allows, %",
            "calls an order",
            "cores",
            "p95 ms at 20 a second",
            "beside a slow ERP",
            "ratio to best peer",
        ],
        "changes": ["", "orders/s", "range"],
        "stock": ["", "events/s", "range", "calls to send", "calls to read", "ratio to best peer"],
        "stock-latency": ["", "accepted: p50 ms", "range of p50", "p90 ms", "max ms"],
        "mail-latency": ["", "mailed: p50 s", "p95 s", "max s"],
        "journal": ["", "records", *(f"{kind}: p50, p95 ms" for kind in KINDS)],
        "scrape": ["", "slowest p95 ms", "records", "counted after s", *(f"{name}: p50, p95 ms" for name in SERVICES)],
        "alarms": ["", "with news: ms", "of these CPU", "nothing happens: ms", "over: ms", "memory MB", "mails"],
        "scale": ["", "orders/s", "range", "each", "orders a transaction"],
        "whole": [
            "",
            "in: orders/s",
            "back: orders/s",
            "indexed: orders/s",
            "bytes in the database",
            "of WAL",
            "in the archive",
            "and still in the database",
        ],
        "memory": ["", "peak MB", "after a tenth of the events", "in the end", "orders/s"],
        "floors": ["", "a second", "range"],
    }.get(result.plan.job, ["", "orders/s", "range", "orders a transaction", "ratio to best peer"])


def _row(job: str, one: dict[str, Any]) -> list[str]:
    low, high = one["range"]
    value = f"**{one['value']:,.0f}**"
    ratio = "" if one["ratio_to_best_peer"] is None else f"{one['ratio_to_best_peer']:.2f}"
    if job == "latency":
        cells = [f"{one['stored_p50']:.1f}", f"**{one['p50']:.1f}**", f"{low:.1f} to {high:.1f}"]
        cells += [f"{one['p99']:.1f}", f"{one['max']:.1f}", ratio]
    elif job == "growth":
        cpu = [f"{figure:.3f}" for key, figure in one.items() if key.startswith("cpu_at_")]
        speed = [f"{figure:,.0f}" for key, figure in one.items() if key.startswith("per_second_at_")]
        cells = [f"**{one['value']:+.0f}**", f"{low:+.0f} to {high:+.0f}", *cpu, *speed]
    elif job == "memory":
        cells = [value, f"{one['mb_when_warm']:.0f}", f"{one['mb_in_the_end']:.0f}", f"{one['orders_per_second']:,.0f}"]
    elif job == "stock":
        cells = [
            value,
            f"{low:,.0f} to {high:,.0f}",
            f"{one['calls_to_send']:,.0f}",
            f"{one['calls_to_read']:,.0f}",
            ratio,
        ]
    elif job == "erp":
        cells = [f"**{one['value']:.1f}**", f"{one['calls_per_second']:.1f}", f"{100 * one['share_of_allowed']:.1f}"]
        cells += [f"{one['calls_per_order']:.3f}", f"{one['cores']:.2f}"]
        cells += [f"{one[key]:,.0f}" if one[key] else "" for key in ("p95_alone", "p95_beside_slow")]
        cells.append(ratio)
    elif job == "changes":
        cells = [f"**{one['value']:.1f}**", f"{low:.1f} to {high:.1f}"]
    elif job == "stock-latency":
        cells = [f"**{one['p50']:.1f}**", f"{low:.1f} to {high:.1f}", f"{one['p90']:.1f}", f"{one['max']:.1f}"]
    elif job == "mail-latency":
        cells = [f"**{one['p50']:.1f}**", f"{one['p95']:.1f}", f"{one['max']:.1f}"]
    elif job == "journal":
        cells = [
            f"{one['records']:,.0f}",
            *(f"{one[f'{kind}_p50']:.1f}, **{one[f'{kind}_p95']:.1f}**" for kind in KINDS),
        ]
    elif job == "scrape":
        cells = [
            f"**{one['value']:.1f}**",
            f"{one['records']:,.0f}",
            f"{one['counted_after_seconds']:.1f}",
            *(f"{one[f'{name}_p50']:.1f}, {one[f'{name}_p95']:.1f}" for name in SERVICES),
        ]
    elif job == "alarms":
        cells = [value, *(f"{one[key]:,.0f}" for key in ("cpu_ms", "nothing_ms", "over_ms", "mb", "mails"))]
    elif job == "whole":
        keys = (
            "import_per_second",
            "export_per_second",
            "index_per_second",
            "database_bytes",
            "wal_bytes",
            "archive_bytes",
            "kept_bytes",
        )
        cells = [f"{one[key]:,.0f}" for key in keys]
    elif job == "scale":
        cells = [value, f"{low:,.0f} to {high:,.0f}", f"{one['each']:,.0f}"]
        cells.append(f"{2 * one['orders'] / max(1, one['transactions']):.0f}")
    elif job == "floors":
        cells = [value, f"{low:,.0f} to {high:,.0f}"]
    else:
        each = one["orders"] * (1 if job == "intake" else 2) / max(1, one["transactions"])
        cells = [value, f"{low:,.0f} to {high:,.0f}", f"{each:.0f}", ratio]
    cpu_each = one["cpu_seconds_per_1000"]
    cpu = [f"{cpu_each[key]:.3f}" for key in ("processes", "postgres", "broker", "total")]
    return [one["what"], *cells, *cpu, f"{one['runs']} ({one['disturbed']})"]


def _chart(job: str, results: Sequence[Result]) -> str:
    ones = [(result, result.as_json()) for result in results]
    if job == "pipeline":
        speed = [Bar(r.name, one["value"], f"{one['value']:,.0f}", not r.peer) for r, one in ones]
        totals = [(r, one["cpu_seconds_per_1000"]["total"]) for r, one in ones]
        cost = [Bar(r.name, total, f"{total:.2f}", not r.peer) for r, total in totals]
        return "\n\n".join(
            (
                charts.write("pipeline", "Orders a second through both stages", speed),
                charts.write("pipeline-cpu", "CPU seconds per 1,000 orders, with PostgreSQL and RabbitMQ", cost),
            )
        )
    if job == "latency":
        late = [Bar(r.name, one["p50"], f"{one['p50']:.1f} ms", not r.peer) for r, one in ones]
        return charts.write("latency", "From publish to done, p50 at 200 orders a second", late)
    return ""
