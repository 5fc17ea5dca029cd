"""`python -m benchmarks.capacity`: how large an installation has to be, calculated from costs that were measured.

Reads benchmarks/costs.jsonl, which is what `python -m benchmarks whole stock --json` printed; --write puts the table
into docs/scaling.md. What is no measurement but an assumption has a name here and a line there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

COSTS = Path(__file__).with_name("costs.jsonl")
DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "scaling.md"
BEGIN, END = "<!-- capacity: written by `python -m benchmarks.capacity --write` -->", "<!-- end of capacity -->"

PEAK = 4.0
"""The busiest hour has so many times the orders of an average one."""
STOCK_CHANGES = 10.0
"""Changes of stock for each order."""
BUSY = 0.6
"""How busy a core may be at the peak."""
ONLINE_DAYS = 90
"""How long an order stays whole in the database before it is archived."""
LEAST = 2
"""Processes of each service, so that one may end."""
DATABASE_CORES, DATABASE_TB = 32.0, 20.0
"""What one PostgreSQL is trusted with; more is a second installation with other interfaces."""

DAY = 86_400.0
SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
Costs = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Need:
    """What so many orders a day need. processes by service; cores by server; TB after ONLINE_DAYS; GB each year."""

    orders: int
    peak: float
    processes: Mapping[str, int]
    cores: Mapping[str, float]
    wal_mb: float
    online_tb: float
    kept_gb: float
    archive_gb: float
    installations: int


def read_costs(path: Path = COSTS) -> Costs:
    """benchmark/name → what was measured. Raises ValueError where a count was not exact."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    if wrong := [one["name"] for one in lines if not one["exact"]]:
        raise ValueError(f"not exact: {', '.join(wrong)}")
    return {f"{one['benchmark']}/{one['name']}": one for one in lines}


def need(orders: int, costs: Costs) -> Need:
    """For `orders` a day."""
    whole, stocked = costs["whole/connect"], costs["stock/connect"]
    stock = stocked["cpu_seconds_per_1000"]
    peak = orders / DAY * PEAK
    changes = peak * STOCK_CHANGES
    busy = {
        "importer": peak * whole["import_processes"] / 1000,
        "journal": peak * whole["index_processes"] / 1000,
        "exporter": peak * whole["export_processes"] / 1000,
        "stock": changes * stock["processes"] / 1000,
    }
    cores = {
        server: (
            peak * sum(whole[f"{phase}_{server}"] for phase in ("import", "export", "index")) / 1000
            + changes * stock[server] / 1000
        )
        / BUSY
        for server in ("postgres", "broker")
    }
    online = orders * ONLINE_DAYS * (whole["database_bytes"] + STOCK_CHANGES * stocked["database_bytes"]) / 1e12
    return Need(
        orders,
        peak,
        {service: max(LEAST, ceil(used / BUSY)) for service, used in busy.items()},
        cores,
        (peak * whole["wal_bytes"] + changes * stocked["wal_bytes"]) / 1e6,
        online,
        orders * 365 * whole["kept_bytes"] / 1e9,
        orders * 365 * whole["archive_bytes"] / 1e9,
        max(1, ceil(cores["postgres"] / DATABASE_CORES), ceil(online / DATABASE_TB)),
    )


def table(costs: Costs) -> str:
    """The table, as Markdown."""
    titles = (
        "orders a day",
        "a second at the peak",
        "importers, Journals, exporters, stock",
        "PostgreSQL cores",
        "RabbitMQ cores",
        "WAL MB/s",
        f"database after {ONLINE_DAYS} days",
        "stays a year",
        "archive a year",
        "installations",
    )
    rows = [titles, ("---:",) * len(titles), *(_row(need(orders, costs)) for orders in SIZES)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _row(one: Need) -> Sequence[str]:
    return (
        f"{one.orders:,}",
        _figure(one.peak),
        ", ".join(f"{count:,}" for count in one.processes.values()),
        _figure(one.cores["postgres"]),
        _figure(one.cores["broker"]),
        _figure(one.wal_mb),
        _size(one.online_tb * 1000),
        _size(one.kept_gb),
        _size(one.archive_gb),
        f"{one.installations:,}",
    )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def _size(gigabytes: float) -> str:
    return f"{_figure(gigabytes)} GB" if gigabytes < 1000 else f"{_figure(gigabytes / 1000)} TB"


def written(text: str, costs: Costs) -> str:
    """The document with the table in its place."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table(costs)}\n\n{END}{after}"


def main() -> int:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"put it into {DOCUMENT.name}")
    costs = read_costs()
    if parser.parse_args().write:
        DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8"), costs), encoding="utf-8")
    else:
        print(table(costs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
