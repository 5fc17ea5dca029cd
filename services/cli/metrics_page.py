"""`docs/metrics.md`: every metric with its labels and who shows it, from what `shared/metrics.py` declares.

Who shows it is read from the code that sets it, so that the page cannot fall behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared import metrics as declared

ROOT = Path(__file__).parents[2]
PREFIX = "connect_"
EVERY = "every service"
RUNTIME = "importer, exporter, stock"
USED = re.compile(r"(?:metrics|\bm)\.(\w+)\b")
HEAD = """\
# Metrics

Generated from `shared/metrics.py`; write it again with `make generate`. Every service shows its metrics on its own port
(importer 9401, exporter 9402, stock 9403, alerts 9404, journal 9405) at `/metrics`, in OpenMetrics if asked for.
Labels are bounded: never an order number, an SKU or a message text. Tests of an interface are in no figure.

A counter's name ends in `_total`, a histogram has `_bucket`, `_sum` and `_count`, a time is in seconds since 1970.
What Prometheus makes of them stands in `deploy/prometheus/rules/recording.yml`, when it alerts in the
[runbooks](runbooks/README.md), and the dashboards in `deploy/grafana/dashboards/`.
"""
COUNTED = """
## Counted by a process

They begin at 0 with each process. Add up the processes of one service, with `rate` or `increase`.

| metric | kind | labels | shown by | meaning |
|---|---|---|---|---|
"""
DERIVED = """
## Read from the database

True after a crash too. One Journal at a time shows them: take `max by (…)` over instances, never `sum`.

| metric | kind | labels | shown by | meaning |
|---|---|---|---|---|
"""
OTHERS = """
## Of others

Each service also shows the process's own figures (`process_…`, `python_…`). RabbitMQ shows `rabbitmq_…` by its plugin,
PostgreSQL `pg_…` by postgres_exporter ([ADR 31](adr/0031-alerts-from-the-database-s-figures.md)).
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One metric. name: with its ending; labels: in their order."""

    name: str
    kind: str
    labels: tuple[str, ...]
    shown_by: str
    meaning: str

    def text(self) -> str:
        """A line of the table."""
        labels = ", ".join(f"`{label}`" for label in self.labels) or "–"
        return f"| `{self.name}` | {self.kind} | {labels} | {self.shown_by} | {self.meaning} |\n"


def markdown() -> str:
    """The page."""
    counted = "".join(row.text() for row in sorted(_counted(), key=lambda row: row.name))
    derived = "".join(row.text() for row in sorted(_derived(), key=lambda row: row.name))
    return HEAD + COUNTED + counted + (DERIVED + derived if derived else "") + OTHERS


def _counted() -> Iterator[Row]:
    # Some are shown by one service alone.
    metrics, uses = declared.Metrics("importer", "0"), _uses()
    families = {
        family.name: family
        for service in ("importer", "alerts", "journal")
        for family in declared.Metrics(service, "0").registry.collect()
        if family.name.startswith(PREFIX)
    }
    labels = {
        wrapper._name: (attribute, tuple(wrapper._labelnames))
        for attribute, wrapper in vars(metrics).items()
        if hasattr(wrapper, "_labelnames")
    }
    for family in families.values():
        attribute, names = labels.get(family.name) or ("", tuple(family.samples[0].labels))
        ending = "_total" if family.type == "counter" else ""
        services = uses.get(attribute, set()) if attribute else {EVERY}
        yield Row(family.name + ending, family.type, names, _in_words(services), family.documentation)


def _derived() -> Iterator[Row]:
    found: Mapping[str, tuple[str, tuple[str, ...]]] = getattr(declared, "DERIVED", {})
    for name, (meaning, labels) in found.items():
        yield Row(name, "counter" if name.endswith("_total") else "gauge", labels, "one journal", meaning)


def _uses() -> dict[str, set[str]]:
    """Attribute of `Metrics` → the services whose code sets it."""
    found: dict[str, set[str]] = {}
    for top in ("services", "shared"):
        for path in sorted((ROOT / top).rglob("*.py")):
            service = path.relative_to(ROOT).parts[1]
            whose = service if top == "services" else EVERY if path.stem == "lifecycle" else RUNTIME
            for attribute in USED.findall(path.read_text(encoding="utf-8")):
                found.setdefault(attribute, set()).add(whose)
    return found


def _in_words(services: set[str]) -> str:
    if EVERY in services:
        return EVERY
    if RUNTIME in services:
        services = services - set(RUNTIME.split(", "))
    return ", ".join(sorted(services, key=lambda name: (name != RUNTIME, name))) or "nobody yet"
