"""Reads metrics: whether anything moved, and which services do not answer. From Prometheus, or from the services.

Only wakes and judges the infrastructure; what happened to records is read from the database.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from prometheus_client.parser import text_string_to_metric_families

from shared.alarms.incidents import Cause

DEADLINE = 2.0
MISSED = 15
"""So many looks in a row (half a minute) without an answer before a service counts as away: one may just be started
again, and drains before it ends."""

AWAY = "service-away"
MOVES = ("connect_transitions", "connect_errors", "connect_events_consumed")


class Scrape:
    """Looks at every service each time it is asked. One thread."""

    def __init__(self, targets: Callable[[], Mapping[str, str]], prometheus: str | None) -> None:
        """targets: service → address of its metrics, used where there is no Prometheus."""
        self._targets = targets
        self._prometheus = prometheus.rstrip("/") if prometheus else None
        self._missed: Counter[str] = Counter()
        self._seen: dict[str, float] = {}

    def look(self) -> bool:
        """Whether something moved since the last look."""
        found = self._asked() if self._prometheus else self._scraped()
        for name, moved in found.items():
            self._missed[name] = self._missed[name] + 1 if moved is None else 0
        values = {name: value for name, value in found.items() if value is not None}
        before, self._seen = self._seen, {**self._seen, **values}
        return any(before.get(name) != value for name, value in values.items())

    def away(self) -> dict[Cause, int]:
        """The services that count as away."""
        return {Cause("", "infrastructure", AWAY, name): 1 for name, count in self._missed.items() if count >= MISSED}

    def _scraped(self) -> dict[str, float | None]:
        targets = self._targets()
        with ThreadPoolExecutor(max(1, len(targets))) as several:
            return dict(zip(targets, several.map(_sum_at, targets.values()), strict=True))

    def _asked(self) -> dict[str, float | None]:
        try:
            up = self._query('up{job="connect"}')
            moves = "|".join(f"{name}_total" for name in MOVES)
            sums = self._query(f'sum by (job) ({{__name__=~"{moves}"}})')
        except (OSError, ValueError, KeyError):
            return {"prometheus": None}
        total = sum(sums.values())
        found: dict[str, float | None] = {name: total if value else None for name, value in up.items()}
        return found | {"prometheus": total}

    def _query(self, query: str) -> dict[str, float]:
        address = f"{self._prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        with web().open(address, timeout=DEADLINE) as answer:
            rows = json.load(answer)["data"]["result"]
        found: dict[str, float] = {}
        for row in rows:
            name = row["metric"].get("service") or row["metric"].get("instance", "")
            value = float(row["value"][1])
            found[name] = min(value, found.get(name, value))  # of several processes of a service, the one that is away
        return found


def _sum_at(address: str) -> float | None:
    """The sum of what moves when records do; None where nobody answers."""
    try:
        with web().open(address, timeout=DEADLINE) as answer:
            text = answer.read().decode("utf-8")
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            if family.name in MOVES
            for sample in family.samples
            if sample.name.endswith("_total")
        )
    except (OSError, ValueError, urllib.error.URLError):
        return None


def web() -> urllib.request.OpenerDirector:
    """Opens http and https and nothing else: no files, and no proxy in between."""
    web = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        web.add_handler(handler())
    return web
