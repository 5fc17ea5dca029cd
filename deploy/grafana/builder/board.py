"""One dashboard: titled rows of panels, variables, and the links that every dashboard has. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.grafana.builder.panel import SOURCE, Panel

WIDTH = 24
INTERFACES = "label_values(flow_interface_stage_state:connect_records:max, interface)"


@dataclass(frozen=True, slots=True)
class Places:
    """Where links lead. runbooks: a place that serves `docs/runbooks/*.md` of this repository, which no service of
    Connect does: its page at whoever hosts it, or a wiki. The usual one only shows what such an address looks like."""

    journal: str = "http://127.0.0.1:8080"
    runbooks: str = "https://connect.example.org/docs/runbooks"


USUAL = Places()


@dataclass(frozen=True, slots=True)
class Board:
    """name: the last part of its uid and file; rows: title → panels, which flow from left to right.

    ask: variable → where Prometheus has its values.
    """

    name: str
    title: str
    about: str
    rows: Mapping[str, Sequence[Panel]]
    ask: Mapping[str, str]

    @property
    def uid(self) -> str:
        """Also the file's name."""
        return f"connect-{self.name}"

    def panels(self) -> list[Panel]:
        """All of them."""
        return [panel for panels in self.rows.values() for panel in panels]

    def text(self, places: Places = USUAL) -> str:
        """The file."""
        return json.dumps(self._drawn(places), indent=2, ensure_ascii=False) + "\n"

    def _drawn(self, places: Places) -> dict[str, Any]:
        return {
            "uid": self.uid,
            "title": f"Connect: {self.title}",
            "description": self.about,
            "tags": ["connect"],
            "editable": False,
            "graphTooltip": 1,
            "schemaVersion": 39,
            "version": 1,
            "refresh": "10s",
            "time": {"from": "now-3h", "to": "now"},
            "timezone": "browser",
            "templating": {"list": self._variables(places)},
            "links": [
                {"type": "dashboards", "title": "Connect", "tags": ["connect"], "asDropdown": True, "keepTime": True,
                 "includeVars": True},
                {"type": "link", "title": "Journal", "url": "${journal}", "targetBlank": True, "icon": "external link"},
                {"type": "link", "title": "Runbooks", "url": "${runbooks}", "targetBlank": True, "icon": "doc"},
            ],
            "annotations": {"list": [_alerts_as_marks()]},
            "panels": self._placed(),
        }  # fmt: skip

    def _placed(self) -> list[dict[str, Any]]:
        """Rows with their panels below; a panel that does not fit any more begins a new line."""
        drawn: list[dict[str, Any]] = []
        y = 0
        for title, panels in self.rows.items():
            drawn.append(
                {"id": len(drawn) + 1, "type": "row", "title": title, "collapsed": False, "panels": [],
                 "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}}
            )  # fmt: skip
            y, x, line = y + 1, 0, 0
            for panel in panels:
                if x + panel.width > WIDTH:
                    y, x, line = y + line, 0, 0
                drawn.append(panel.drawn(len(drawn) + 1, x, y))
                x, line = x + panel.width, max(line, panel.height)
            y += line
        return drawn

    def _variables(self, places: Places) -> list[dict[str, Any]]:
        source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0}
        asked = [
            {
                "name": name,
                "label": name.capitalize(),
                "type": "query",
                "datasource": SOURCE,
                "definition": query,
                "query": {"query": query, "refId": name},
                "refresh": 2,
                "sort": 1,
                "multi": True,
                "includeAll": True,
                "allValue": ".*",
                "current": {"text": ["All"], "value": ["$__all"]},
            }
            for name, query in self.ask.items()
        ]
        where = [
            {"name": name, "label": label, "type": "textbox", "query": value, "hide": 2,
             "current": {"text": value, "value": value}}
            for name, label, value in (
                ("journal", "Journal", places.journal), ("runbooks", "Runbooks", places.runbooks)
            )
        ]  # fmt: skip
        return [source, *asked, *where]


def _alerts_as_marks() -> dict[str, Any]:
    """When an alert began to fire."""
    return {
        "name": "Alerts",
        "enable": True,
        "iconColor": "red",
        "datasource": SOURCE,
        "expr": 'ALERTS{alertstate="firing", severity="error"}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{interface}} {{flow}} {{service}}",
    }
