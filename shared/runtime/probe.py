"""Looks whether what blocks records has come true remotely, and whether a remote system is back.

Beside the work loop, with its own connection. Keys are asked for in batches, every 30 seconds, less often with age.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from shared.connectors.contract import RemoteError
from shared.db.connect import GONE, Connection
from shared.errors.catalogue import catalogue
from shared.records.give_up import give_up
from shared.records.interfaces import Interface, Summary, summaries
from shared.records.keys import keys_to_probe, raise_key
from shared.runtime.breaker import close_breaker, keep_open, take_look
from shared.runtime.stage import Opened, Stage
from shared.runtime.timing import Timing

LOOK_SECONDS = 2.0
SHORTEST_SECONDS = 0.2


class Probe:
    """The loop of one stage in one process."""

    def __init__(
        self,
        stage: Stage,
        *,
        connect: Callable[[], Connection],
        read: Callable[[Connection, str], Interface | None],
        beat: Callable[[], None],
        stopping: Callable[[], bool],
        pause: Callable[[float], None],
        timing: Timing,
    ) -> None:
        self._stage = stage
        self._timing = timing
        self._connect, self._read = connect, read
        self._beat, self._stopping, self._pause = beat, stopping, pause
        self._opened: dict[str, tuple[int, Opened]] = {}
        self._log = structlog.get_logger().bind(stage=stage.name)

    def run(self) -> None:
        """Until stopping."""
        while not self._stopping():
            try:
                with self._connect() as conn:
                    while not self._stopping():
                        self._beat()
                        for summary in summaries(conn):
                            self._look(conn, summary)
                        self._pause(max(SHORTEST_SECONDS, LOOK_SECONDS * self._timing.patience))
            except GONE as error:
                self._log.warning("probe.database-gone", error=error)
                self._beat()
                self._pause(LOOK_SECONDS)
        for _, opened in self._opened.values():
            opened.close()

    def _look(self, conn: Connection, summary: Summary) -> None:
        breaker = summary.breakers.get(self._stage.side, "closed")
        if breaker != "closed":
            if take_look(conn, summary.slug, self._stage.side):
                self._give_up(conn, summary.slug)
                self._ping(conn, summary)
            return
        keys = [key for prefix in self._stage.probes for key in keys_to_probe(conn, summary.slug, prefix)]
        opened = self._open(conn, summary) if keys else None
        if opened is None:
            return
        try:
            true = opened.probe(keys)
        except RemoteError as error:
            self._log.info("probe.failed", interface=summary.slug, code=str(error.reason))
            return
        except GONE:
            raise
        except Exception as error:
            self._log.error("probe.unclassified", interface=summary.slug, error=error, exc_info=True)
            return
        for key in sorted(true):
            with conn.transaction():
                count = raise_key(conn, summary.slug, key)
            self._log.info("key.raised", interface=summary.slug, count=count)

    def _ping(self, conn: Connection, summary: Summary) -> None:
        opened = self._open(conn, summary)
        if opened is None:
            return
        try:
            opened.ping()
        except RemoteError as error:
            keep_open(conn, summary.slug, self._stage.side, str(error.reason), self._timing.looks)
            return
        except GONE:
            raise
        except Exception as error:
            self._log.error("probe.unclassified", interface=summary.slug, error=error, exc_info=True)
            keep_open(conn, summary.slug, self._stage.side, "unclassified", self._timing.looks)
            return
        count = close_breaker(conn, summary.slug, self._stage.side)
        self._log.info("breaker.closed", interface=summary.slug, count=count)

    def _give_up(self, conn: Connection, slug: str) -> None:
        """Nobody claims meanwhile, so what was tried for too long is noticed here."""
        limits = {code: known.give_up_after * self._timing.patience for code, known in catalogue().items()}
        if count := give_up(conn, self._stage.name, slug, limits):
            self._log.warning("record.gave-up", interface=slug, count=count)

    def _open(self, conn: Connection, summary: Summary) -> Opened | None:
        known = self._opened.get(summary.slug)
        if known is not None and known[0] == summary.revision:
            return known[1]
        if known is not None:
            known[1].close()
            del self._opened[summary.slug]
        try:
            interface = self._read(conn, summary.slug)
            if interface is None:
                return None
            opened = self._stage.open(interface)
        except (ValueError, KeyError):
            return None  # the work loop says so
        self._opened[summary.slug] = (interface.revision, opened)
        return opened
