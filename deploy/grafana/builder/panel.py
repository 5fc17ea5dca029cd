"""One panel: what it asks, in which unit, from where on it is amber or red, and where a click leads. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, AMBER, RED = "green", "#EAB839", "red"
TALL, SHORT = 8, 4


@dataclass(frozen=True, slots=True)
class Query:
    """A question to Prometheus. quiet: why it has no answer while all is well; then `tests/monitoring` proves it."""

    expr: str
    legend: str = ""
    quiet: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """kind: Grafana's (stat, timeseries, bargauge, table). width: of 24. steps: (from this value on, colour)."""

    title: str
    about: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 12
    height: int = TALL
    steps: tuple[tuple[float, str], ...] = ()
    below: str = GREEN
    """The colour below the first step."""
    links: tuple[tuple[str, str], ...] = ()
    words: tuple[tuple[int, str, str], ...] = ()
    """(value, word, colour): shown in place of a number."""
    stacked: bool = False
    low: float | None = 0

    def linked(self, title: str, url: str) -> Panel:
        """The same with one more link."""
        return replace(self, links=(*self.links, (title, url)))

    def drawn(self, number: int, x: int, y: int) -> dict[str, Any]:
        """As Grafana reads it."""
        instant = self.kind != "timeseries"
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "datasource": SOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "links": [{"title": title, "url": url, "targetBlank": True} for title, url in self.links],
            "fieldConfig": {"defaults": self._field(), "overrides": []},
            "options": self._options(),
            "targets": [
                {
                    "refId": chr(ord("A") + place),
                    "datasource": SOURCE,
                    "expr": query.expr,
                    "legendFormat": query.legend or "__auto",
                    "instant": instant,
                    "range": not instant,
                    **({"format": "table"} if self.kind == "table" else {}),
                }
                for place, query in enumerate(self.queries)
            ],
        }

    def _field(self) -> dict[str, Any]:
        steps: list[dict[str, Any]] = [{"value": None, "color": self.below if self.steps else "blue"}]
        steps += [{"value": value, "color": colour} for value, colour in self.steps]
        field: dict[str, Any] = {"unit": self.unit, "thresholds": {"mode": "absolute", "steps": steps}}
        if self.low is not None:
            field["min"] = self.low
        if self.words:
            field["mappings"] = [
                {
                    "type": "value",
                    "options": {str(value): {"text": word, "color": colour, "index": place}},
                }
                for place, (value, word, colour) in enumerate(self.words)
            ]
        if self.links:
            field["links"] = [{"title": title, "url": url, "targetBlank": True} for title, url in self.links]
        if self.kind == "timeseries":
            field["color"] = {"mode": "palette-classic"}
            field["custom"] = {
                "drawStyle": "line",
                "lineWidth": 1,
                "fillOpacity": 20 if self.stacked else 8,
                "showPoints": "never",
                "spanNulls": 30000,
                "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"},
                "thresholdsStyle": {"mode": "dashed" if self.steps else "off"},
            }
        else:
            field["color"] = {"mode": "thresholds"}
        return field

    def _options(self) -> dict[str, Any]:
        if self.kind == "timeseries":
            return {
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }
        reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        if self.kind == "stat":
            return {"reduceOptions": reduce, "colorMode": "background", "graphMode": "none", "textMode": "auto"}
        if self.kind == "bargauge":
            return {"reduceOptions": reduce, "orientation": "horizontal", "displayMode": "basic"}
        return {"showHeader": True, "cellHeight": "sm"}


def stat(title: str, about: str, *queries: Query, **more: Any) -> Panel:
    """One number, or one a series, on its colour."""
    return Panel(title, about, queries, **{"kind": "stat", "width": 4, "height": SHORT, **more})


def graph(title: str, about: str, *queries: Query, **more: Any) -> Panel:
    """Lines over time."""
    return Panel(title, about, queries, **more)


def bars(title: str, about: str, *queries: Query, **more: Any) -> Panel:
    """One bar a series."""
    return Panel(title, about, queries, **{"kind": "bargauge", **more})


def table(title: str, about: str, *queries: Query, **more: Any) -> Panel:
    """One row a series."""
    return Panel(title, about, queries, **{"kind": "table", **more})
