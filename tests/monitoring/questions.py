"""What the dashboards ask, with Grafana's variables filled in."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.grafana.builder.__main__ import boards
from deploy.grafana.builder.panel import Query

FILLED = {"$interface": ".*", "$flow": ".*", "$system": ".*", "$database": ".*", "$__rate_interval": "1m"}


def filled(expr: str) -> str:
    """As Grafana sends it when everything is chosen."""
    for name, value in FILLED.items():
        expr = expr.replace(name, value)
    assert "$" not in expr, expr
    return expr


def questions() -> Iterator[tuple[str, Query]]:
    """Where it stands, and the query; also what variables ask for."""
    for board in boards():
        for panel in board.panels():
            for query in panel.queries:
                yield f"{board.uid}: {panel.title}", query
        for name, asked in board.ask.items():
            yield f"{board.uid}: variable {name}", Query(asked.removeprefix("label_values(").rpartition(", ")[0])
