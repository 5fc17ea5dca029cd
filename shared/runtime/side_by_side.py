"""Serves interfaces side by side, so that a slow remote system holds up nobody: one thread per interface in need.

What nobody foresaw at one interface is noted there and must not end the work for all the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import structlog

from shared.db.connect import GONE, Connection
from shared.errors.fingerprint import fingerprint
from shared.failpoint import Planted

AT_ONCE = 16


class SideBySide:
    """The loop around a function that serves one interface.

    name:   in log lines
    due:    the interfaces that are in need of it now
    serve:  serves one, on a thread and a connection of its own; returns when there is nothing more to do
    failed: notes an unforeseen error of one
    """

    def __init__(
        self,
        name: str,
        *,
        connect: Callable[[], Connection],
        due: Callable[[Connection], Sequence[str]],
        serve: Callable[[Connection, str], None],
        failed: Callable[[Connection, str], None],
        fatal: Callable[[BaseException], None],
        seconds: float,
    ) -> None:
        self._name, self._connect, self._due, self._serve = name, connect, due, serve
        self._failed, self._fatal, self._seconds = failed, fatal, seconds
        self._log = structlog.get_logger()

    def run(self, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Until stopping."""
        running: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(AT_ONCE, self._name) as threads:
            while not stopping():
                beat()
                try:
                    with self._connect() as conn:
                        while not stopping():
                            beat()
                            running = {slug: future for slug, future in running.items() if not future.done()}
                            for slug in self._due(conn):
                                if slug not in running:
                                    running[slug] = threads.submit(self._safely, slug)
                            pause(self._seconds)
                except GONE as error:
                    self._log.warning(f"{self._name}.database-gone", error=error)
                    pause(self._seconds)

    def _safely(self, slug: str) -> None:
        try:
            with self._connect() as conn:
                self._serve(conn, slug)
        except GONE as error:
            self._log.warning(f"{self._name}.database-gone", interface=slug, error=error)
        except Planted as error:
            self._fatal(error)
        except Exception as error:
            self._log.error(
                f"{self._name}.unclassified", interface=slug, error=error, fingerprint=fingerprint(error), exc_info=True
            )
            with suppress(*GONE), self._connect() as conn:
                self._failed(conn, slug)
