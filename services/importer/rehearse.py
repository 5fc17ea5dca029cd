"""Runs rehearsals that a person asked for, each on a thread of its own. What is looked at: `runtime.rehearse`."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from shared.db.connect import Connection
from shared.records.errands import Errand, due_errands, end_errands, finish_errand, note_progress, take_errand
from shared.records.interfaces import Interface
from shared.runtime.rehearse import Rehearsal
from shared.runtime.remotes import Remotes
from shared.runtime.side_by_side import SideBySide

LOOK_SECONDS = 1.0
LEASE_SECONDS = 120.0  # longer than a page takes, with every call waiting for its deadline


class Overtaken(Exception):
    """Another process has the errand now."""


class Rehearsals:
    """The loop of one importer."""

    def __init__(
        self,
        remotes: Remotes,
        *,
        connect: Callable[[], Connection],
        read: Callable[[Connection, str], Interface | None],
        fatal: Callable[[BaseException], None],
    ) -> None:
        self._remotes, self._connect, self._read, self._fatal = remotes, connect, read, fatal
        self._log = structlog.get_logger()

    def run(self, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Until stopping."""
        SideBySide(
            "rehearsal",
            connect=self._connect,
            due=lambda conn: due_errands(conn, "rehearsal"),
            serve=self.serve,
            failed=lambda conn, slug: end_errands(conn, "rehearsal", slug, "unclassified"),
            fatal=self._fatal,
            seconds=LOOK_SECONDS,
        ).run(beat, stopping, pause)

    def serve(self, conn: Connection, slug: str) -> None:
        """Run the one that is due at an interface. A crash leaves it to be taken again after the lease."""
        errand = take_errand(conn, LEASE_SECONDS, ("rehearsal",), slug)
        if errand is None:
            return
        try:
            self._look(conn, errand)
        except Overtaken:
            self._log.info("rehearsal.left", interface=slug)

    def _look(self, conn: Connection, errand: Errand) -> None:
        def progress(seen: int) -> None:
            if not note_progress(conn, errand, seen, LEASE_SECONDS):
                raise Overtaken

        interface = self._read(conn, errand.interface)
        if interface is None:
            finish_errand(conn, errand, code="interface-unknown")
            return
        try:
            found = Rehearsal(conn, interface, self._remotes, progress).look()
        except (ValueError, KeyError) as error:
            self._log.error("rehearsal.settings-wrong", interface=errand.interface, error=error)
            finish_errand(conn, errand, code="setting-missing")
            return
        finish_errand(conn, errand, found)
        self._log.info("rehearsal.looked", interface=errand.interface, **found)
