"""Counters that stand at 0 before the first time: Prometheus sees an increase only of what it has seen before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product

from shared.rollup.stretch import QUEUES, UNCLASSIFIED

Totals = dict[str, dict[tuple[str, ...], int]]

STAGES: Mapping[str, tuple[str, ...]] = {
    "order-import": ("erp",),
    "order-export": ("status", "tracking"),
    "stock": ("stock",),
}
"""Flow → the stages that its records are shown at."""

STATES = ("pending", "running", "waiting", "done", "warning", "failed", "skipped")
EVENTS = ("order-imported", "order-changed", "stock-changed")


def begun(totals: Mapping[str, Mapping[tuple[str, ...], int]], interfaces: Iterable[str]) -> Totals:
    """The totals with a 0 for each state, event and queue that these interfaces can come to; of errors, for those
    nobody foresaw."""
    slugs = set(interfaces)
    stages = [(flow, stage) for flow, each in STAGES.items() for stage in each]
    zeros: dict[str, Iterable[tuple[str, ...]]] = {
        "transitions": ((flow, slug, stage, state) for slug, (flow, stage), state in product(slugs, stages, STATES)),
        "errors": ((flow, slug, UNCLASSIFIED) for slug, flow in product(slugs, STAGES)),
        "inputs": product(EVENTS, slugs),
        "rejections": ((queue,) for queue in QUEUES),
    }
    return {name: dict.fromkeys(places, 0) | dict(totals.get(name, {})) for name, places in zeros.items()}
