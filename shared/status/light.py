"""Traffic lights: from what is known of a thing to fine, warning, error, off or unknown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

Light = Literal["fine", "warning", "error", "off", "unknown"]
WORST: tuple[Light, ...] = ("error", "warning", "unknown", "fine", "off")

STILL = timedelta(seconds=60)
"""A service asks the database every few seconds; one that has not for so long stands still."""

LATE = timedelta(minutes=2)
"""So much later than planned a poll may come: another interface may be slow."""

LONG_TRANSACTION = timedelta(minutes=5)
CONNECTIONS = 0.9
LITTLE_ROOM, NO_ROOM = 0.1, 0.03
TEXTS_BEHIND = 10_000


def worst(lights: Iterable[Light]) -> Light:
    """The worst of several; off without any."""
    return min(lights, key=WORST.index, default="off")


def of_flow(row: Mapping[str, Any], mode: str | None) -> Light:
    """Of one flow of an interface: what failed needs somebody, what waits does not."""
    if mode != "live":
        return "off"
    return "error" if row["failed"] else "warning" if row["waiting"] else "fine"


def of_poll(next_at: datetime | None, code: str | None, now: datetime) -> Light:
    """Of the marketplace's poll."""
    if next_at is None:
        return "off"
    return "warning" if code or now - next_at > LATE else "fine"


def of_interface(
    mode: str, incidents: Iterable[Mapping[str, Any]], sides: Mapping[str, Mapping[str, Any]], poll: Light
) -> Light:
    """Of an interface: its open incidents decide, then whether its systems answer."""
    severities = {one["severity"] for one in incidents}
    if "error" in severities:
        return "error"
    away = any(side["breaker"] != "closed" for side in sides.values())
    if severities or away or poll == "warning":
        return "warning"
    return "fine" if mode == "live" else "off"


def of_service(connections: int, progress: datetime | None, versions: Iterable[str], now: datetime) -> Light:
    """Of a service: connected, busy, and of one release."""
    if not connections:
        return "error"
    still = progress is not None and now - progress > STILL
    return "warning" if still or len(set(versions)) > 1 else "fine"


def of_queue(queue: Mapping[str, Any]) -> Light:
    """Of a queue: dead letters and unrouted messages are read at once, so none should lie there."""
    if queue["missing"]:
        return "error"
    if queue["purpose"] in ("dead", "unrouted"):
        return "warning" if queue["ready"] else "fine"
    return "fine" if queue["consumers"] or queue["purpose"] == "wake" else "warning"


def of_broker(state: str, queues: Iterable[Mapping[str, Any]]) -> Light:
    """Of the broker."""
    if state in ("unknown", "not-told"):
        return "unknown"
    return "error" if state == "away" else worst(queue["light"] for queue in queues)


def of_database(facts: Mapping[str, Any], now: datetime) -> Light:
    """Of the database."""
    disk, oldest = facts["disk"], facts["oldest_transaction"]
    if disk and disk["free"] < NO_ROOM * disk["whole"]:
        return "error"
    troubled = (
        facts["schema"] != "current",
        facts["connections"] > CONNECTIONS * facts["connections_most"],
        oldest is not None and now - oldest["since"] > LONG_TRANSACTION,
        disk is not None and disk["free"] < LITTLE_ROOM * disk["whole"],
        facts["texts_behind"] >= TEXTS_BEHIND,
    )
    return "warning" if any(troubled) else "fine"
