"""The last station of a probe order: the Journal sees it, and says in metrics how long it took."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import structlog

from shared.alarms import probed
from shared.db.connect import GONE, Connection
from shared.metrics import Metrics

LOOK_SECONDS = 2.0


def see_probes(
    database: Callable[[], AbstractContextManager[Connection]],
    metrics: Metrics,
    beat: Callable[[], None],
    stopping: Callable[[], bool],
    pause: Callable[[float], None],
) -> None:
    """Until stopping. The metrics are read from the database, so they are true after a restart."""
    known: set[str] = set()
    while not stopping():
        beat()
        try:
            with database() as conn:
                shown = probed.show(conn)
            for slug in known - {one.interface for one in shown}:
                metrics.probe_seconds.remove(slug)
                metrics.probe_success.remove(slug)
            known = {one.interface for one in shown}
            for one in shown:
                metrics.probe_seconds.labels(one.interface).set(one.seconds)
                metrics.probe_success.labels(one.interface).set(one.succeeded_at.timestamp())
        except GONE as error:
            structlog.get_logger().warning("probe-order.database-gone", error=error)
        pause(LOOK_SECONDS)
