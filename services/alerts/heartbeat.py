"""Signs of life, both ways: Prometheus' Watchdog that has to come, and an address outside that is called.

The call goes where the operator said, by a setting like the mail server's; so the list of networks that interfaces may
call does not bind it. It follows no redirect and uses no proxy.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from services.alerts.scrape import web
from shared.alarms import received, signs
from shared.alarms.incidents import Cause
from shared.db.connect import Connection
from shared.metrics import Metrics

SILENT = "monitoring-silent"
UNHEARD = "heartbeat-unheard"
USUAL_MINUTES = 15
EVERY_SECONDS = 60.0
DEADLINE = 10.0
SEVERAL = 5
"""So many calls in a row have to fail before it is an incident."""


def watchdog(
    conn: Connection, metrics: Metrics, hearing_since: datetime, minutes: int | None
) -> dict[str, dict[Cause, int]]:
    """Whether Prometheus has fallen silent, as levels of a round. minutes: as CONNECT_WATCHDOG_MINUTES says."""
    seen = signs.last(conn, signs.WATCHDOG)
    metrics.watchdog_seen.set(seen.timestamp() if seen else 0)
    cause = Cause("", "infrastructure", SILENT, "")
    if minutes == 0:
        return {SILENT: {}}
    silent = signs.silent_for(conn, signs.WATCHDOG, hearing_since, expected=minutes is not None)
    return {SILENT: {cause: 1} if silent > timedelta(minutes=minutes or USUAL_MINUTES) else {}}


def explain(conn: Connection, minutes: int | None) -> None:
    """The words of its incident."""
    received.give_words(conn, SILENT, {"minutes": str(minutes or USUAL_MINUTES)})


class Heartbeat:
    """Calls the address after rounds that worked. `worked` is called by the rounds, `run` by a loop of its own, so that
    an address that hangs holds up nothing."""

    def __init__(self, address: str, metrics: Metrics, every: float = EVERY_SECONDS) -> None:
        self._address, self._metrics, self._every = address, metrics, every
        self._worked = threading.Event()
        self._failed = 0

    def worked(self) -> None:
        """A round worked."""
        self._worked.set()

    def levels(self) -> dict[str, dict[Cause, int]]:
        """Whether the calls fail, as levels of a round."""
        return {UNHEARD: {Cause("", "infrastructure", UNHEARD, ""): 1} if self._failed >= SEVERAL else {}}

    def run(self, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Until stopping."""
        called = -self._every
        while not stopping():
            beat()
            if self._worked.is_set() and time.monotonic() - called >= self._every:
                self._worked.clear()
                called = time.monotonic()
                self.call()
            pause(min(1.0, self._every))

    def call(self) -> bool:
        """Once, now; whether it was answered with 2xx."""
        try:
            with web().open(self._address, timeout=DEADLINE) as answer:
                heard = bool(200 <= answer.status < 300)
        except (OSError, ValueError) as error:
            heard = False
            # Not the address: such addresses are secrets.
            structlog.get_logger().warning("heartbeat.failed", kind=type(error).__name__)
        self._failed = 0 if heard else self._failed + 1
        self._metrics.heartbeats.labels("heard" if heard else "failed").inc()
        return heard
