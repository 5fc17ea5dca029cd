"""Rounds, one after the other, by one process at a time: a lock of the database says whose turn it is.

Several alert services may run; the others stand by, hear webhooks and send mails, and one of them takes over within
seconds when the connection of the one that plays ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import structlog

from services.alerts import heartbeat
from services.alerts.heartbeat import Heartbeat
from services.alerts.scrape import AWAY, Scrape
from shared.alarms import probed, received
from shared.alarms.round import Round, play
from shared.db.connect import Connection
from shared.metrics import Metrics
from shared.runtime.one_at_a_time import alone

LOOK_SECONDS = 2.0
ROUND_SECONDS = 6.0
"""A round at least this often, whatever the metrics say."""

TURN = 0x414C  # a number of its own among the locks of `one_at_a_time`
Beat = Callable[[], None]


class Rounds:
    """The loop of one process."""

    def __init__(
        self,
        scrape: Scrape,
        metrics: Metrics,
        failpoint: Callable[[str], None],
        *,
        stopping: Callable[[], bool],
        watchdog_minutes: int | None = None,
        probe_minutes: float = 0.0,
        heart: Heartbeat | None = None,
    ) -> None:
        self._scrape, self._metrics, self._failpoint = scrape, metrics, failpoint
        self._stopping, self._minutes, self._heart = stopping, watchdog_minutes, heart
        self._probe_minutes = probe_minutes
        self._asked = threading.Event()
        self.playing = False
        """Whether it is this process's turn, or was when the database was last there."""

    def ask(self) -> None:
        """Somebody knows of something new: play soon."""
        self._asked.set()

    def run(self, conn: Connection, beat: Beat) -> None:
        """Until stopping, or until the connection is gone."""
        row = conn.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        while not self._stopping():
            beat()
            with alone(conn, TURN, "alerts") as mine:
                self.playing = mine
                if mine:
                    self._play(conn, beat, row[0])
                else:
                    self._asked.wait(LOOK_SECONDS)
                    self._asked.clear()

    def _play(self, conn: Connection, beat: Beat, hearing_since: datetime) -> None:
        waited = ROUND_SECONDS
        while not self._stopping():
            beat()
            moved = self._scrape.look()
            if moved or self._asked.is_set() or waited >= ROUND_SECONDS:
                self._asked.clear()
                self.once(conn, hearing_since)
                waited = 0.0
            self._asked.wait(LOOK_SECONDS)
            waited += LOOK_SECONDS

    def once(self, conn: Connection, hearing_since: datetime) -> Round | None:
        """One round with all that stands beside the records. None where another one is at it."""
        with conn.transaction():
            levels = {
                AWAY: self._scrape.away(),
                **received.standing(conn),
                **heartbeat.watchdog(conn, self._metrics, hearing_since, self._minutes),
                **probed.standing(conn, self._probe_minutes, hearing_since),
                **({} if self._heart is None else self._heart.levels()),
            }
            done = play(conn, levels, failpoint=self._failpoint)
            received.explain(conn)
            heartbeat.explain(conn, self._minutes)
            probed.explain(conn, self._probe_minutes)
        if done is not None:
            self._report(conn, done)
            if self._heart is not None:
                self._heart.worked()
        return done

    def _report(self, conn: Connection, done: Round) -> None:
        self._metrics.alarm_evaluated.set_to_current_time()
        if done.decided:
            structlog.get_logger().info("alarm.round", counts=dict(done.decided), count=done.mails)
        if done.facts:
            self._metrics.incidents.clear()
            for interface, flow, severity, count in conn.execute(
                "SELECT interface, flow, severity, count(*) FROM incidents WHERE ended IS NULL GROUP BY 1, 2, 3"
            ):
                self._metrics.incidents.labels(interface, flow, severity).set(count)
