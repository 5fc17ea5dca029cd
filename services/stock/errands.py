"""Runs errands: the refresh of a listing, the drift check. Each on a thread: a slow system holds up nobody else.

Also asks for each night's refreshes. What a remote system's bad hour stops is tried again, for some hours.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from services.stock.drift import compare
from services.stock.listing import refresh
from shared.connectors.contract import RemoteError, StockSink, StockSource
from shared.db.connect import GONE, Connection
from shared.errors.fingerprint import fingerprint
from shared.failpoint import Planted
from shared.records.errands import Errand, finish_errand, note_progress, put_off, take_errand
from shared.records.interfaces import Interface
from shared.records.listings import ask_nightly, note_refused
from shared.runtime.judge import CONNECTION
from shared.runtime.remotes import Close

LOOK_SECONDS = 0.5
LEASE_SECONDS = 300.0  # a page may take minutes where an ERP needs a call per article
NIGHT_SECONDS = 30.0
AT_ONCE = 2
MOST_TRIES = 12
FIRST_DELAY, LAST_DELAY = 10.0, 1800.0


class Overtaken(Exception):
    """Another process has the errand now, or this one stops."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where errands lead. zone: the installation's time zone, by which nights begin."""

    connect: Callable[[], Connection]
    read: Callable[[Connection, str], Interface | None]
    open_sink: Callable[[Interface], tuple[StockSink, Close]]
    open_source: Callable[[Interface], tuple[StockSource, Close]]
    zone: str
    failpoint: Callable[[str], None]
    fatal: Callable[[BaseException], None]
    lease: float = LEASE_SECONDS


class Errands:
    """The loop."""

    def __init__(self, places: Places) -> None:
        self._p = places
        self._stopping: Callable[[], bool] = lambda: False
        self._log = structlog.get_logger()

    def run(self, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Until stopping."""
        self._stopping = stopping
        running: list[Future[None]] = []
        night = 0.0
        with ThreadPoolExecutor(AT_ONCE, "errand") as threads:
            while not stopping():
                beat()
                try:
                    with self._p.connect() as conn:
                        while not stopping():
                            beat()
                            running = [future for future in running if not future.done()]
                            if night <= 0:
                                night = NIGHT_SECONDS
                                self._ask(conn)
                            errand = take_errand(conn, self._p.lease) if len(running) < AT_ONCE else None
                            if errand is not None:
                                running.append(threads.submit(self.safely, errand))
                            else:
                                pause(LOOK_SECONDS)
                                night -= LOOK_SECONDS
                except GONE as error:
                    self._log.warning("errands.database-gone", error=error)
                    pause(LOOK_SECONDS)

    def _ask(self, conn: Connection) -> None:
        for slug in ask_nightly(conn, self._p.zone):
            self._log.info("errand.asked", interface=slug, verb="listing")

    def safely(self, errand: Errand) -> None:
        """Run one to its end, whatever that is. What is left open by a crash is taken again after the lease."""
        try:
            with self._p.connect() as conn:
                self._run(conn, errand)
        except Overtaken:
            self._log.info("errand.left", interface=errand.interface, verb=errand.verb)
        except GONE as error:
            self._log.warning("errands.database-gone", interface=errand.interface, error=error)
        except Planted as error:
            self._p.fatal(error)
        except Exception as error:
            self._log.error(
                "errand.unclassified", interface=errand.interface, error=error, fingerprint=fingerprint(error),
                exc_info=True,
            )  # fmt: skip
            with suppress(*GONE), self._p.connect() as conn:
                self._end(conn, errand, None, "unclassified")

    def _run(self, conn: Connection, errand: Errand) -> None:
        interface = self._p.read(conn, errand.interface)
        if interface is None:
            self._end(conn, errand, None, "interface-unknown")
            return

        def progress(seen: int) -> None:
            if self._stopping():
                put_off(conn, errand, "worker-stopped", 0.0)
                raise Overtaken
            if not note_progress(conn, errand, seen, self._p.lease):
                raise Overtaken

        try:
            result = self._by_verb(conn, errand, interface, progress)
        except ValueError as error:
            self._log.error("errand.settings-wrong", interface=errand.interface, verb=errand.verb, what=str(error))
            self._end(conn, errand, None, "setting-missing")
        except RemoteError as error:
            self._refused(conn, errand, error)
        else:
            self._end(conn, errand, result, None)

    def _by_verb(
        self, conn: Connection, errand: Errand, interface: Interface, progress: Callable[[int], None]
    ) -> dict[str, Any]:
        if errand.verb == "listing":
            source, close = self._p.open_source(interface)
            try:
                return refresh(conn, interface.slug, source, progress, self._p.failpoint)
            finally:
                close()
        sink, close = self._p.open_sink(interface)
        try:
            return compare(conn, interface.slug, sink, progress, self._p.failpoint)
        finally:
            close()

    def _refused(self, conn: Connection, errand: Errand, error: RemoteError) -> None:
        code = str(error.reason)
        if error.reason in CONNECTION and errand.tries < MOST_TRIES:
            after = min(LAST_DELAY, FIRST_DELAY * 2 ** (errand.tries - 1))
            put_off(conn, errand, code, max(after, error.retry_after or 0.0))
            self._log.warning("errand.put-off", interface=errand.interface, verb=errand.verb, code=code)
        else:
            self._end(conn, errand, None, code)

    def _end(self, conn: Connection, errand: Errand, result: dict[str, Any] | None, code: str | None) -> None:
        if not finish_errand(conn, errand, result, code):
            return
        if errand.verb == "listing" and code is not None:
            note_refused(conn, errand.interface, code)
        self._log.info("errand.finished", interface=errand.interface, verb=errand.verb, code=code, **(result or {}))
