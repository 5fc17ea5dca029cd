"""How much is measured: `quick` in less than 3 minutes, `normal` in less than 20, `full` what needs longer."""

from __future__ import annotations

from dataclasses import dataclass

NAMES = (
    "pipeline", "intake", "claim", "latency", "erp", "changes", "stock", "stock-latency", "growth", "memory", "journal",
    "scrape", "alarms", "mail-latency", "scale", "whole", "floors",
)  # fmt: skip
QUICK = ("pipeline", "intake", "claim", "latency", "memory", "floors")
FULL = ("memory", "growth", "journal", "scrape")
LONG = ("memory", "erp", "changes", "stock", "stock-latency", "journal", "scrape", "alarms", "mail-latency", "whole")
"""One run each, unless more are asked for."""


@dataclass(frozen=True, slots=True)
class Size:
    """orders: of a backlog (a peer gets its share of it); seconds: of `latency`; events: of `memory`.

    paused: due records of a paused interface beside `claim`; growth: the two numbers of stored orders; peers_late:
    whether `latency` has peers; extra: whether EXTRA is measured; names: what is measured unless names are given;
    changes: of `stock`; sales: orders of `erp`; shipped: of `changes`; records: of `journal` and `scrape`.
    """

    runs: int
    orders: int
    seconds: float
    paused: int
    growth: tuple[int, int]
    events: int
    peers_late: bool
    extra: bool
    names: tuple[str, ...]
    changes: int = 100_000
    sales: int = 3_000
    shipped: int = 200
    records: int = 500_000


SIZES = {
    "quick": Size(1, 5_000, 3.0, 0, (1_000, 50_000), 10_000, False, False, QUICK, 20_000, 1_000),
    "normal": Size(3, 12_000, 5.0, 1_000_000, (10_000, 1_000_000), 100_000, True, False, NAMES),
    "full": Size(3, 12_000, 20.0, 1_000_000, (10_000, 10_000_000), 1_000_000, True, True, FULL, records=10_000_000),
}
EXTRA = ("connect-apart", "connect-one-process")
"""Other ways to run Connect: measured in `full`, or when asked for."""
