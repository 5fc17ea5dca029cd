"""Turns hints into events: claims what is due, looks in the ERP, publishes, and only then removes the hints.

    claim → look → publish, confirmed → remove

A crash anywhere only means that somebody looks again, and what is published twice is a duplicate. One loop for each
service that consumes what comes out: orders in the exporter, articles in stock. All calls go through the interface's
allowance; whatever is told meanwhile gathers in the hints, so a busy ERP costs a longer wait and not more calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from shared.broker.delivery import Fate, Publisher
from shared.connectors.contract import Reason, RemoteError
from shared.db.connect import GONE, Connection
from shared.errors.fingerprint import fingerprint
from shared.failpoint import Planted
from shared.records.hints import Mark, claim_hints, hinted_interfaces, put_back, remove_hints
from shared.records.interfaces import Interface
from shared.runtime.look import Look, OpenLook, Seen
from shared.runtime.side_by_side import SideBySide

LOOK_SECONDS = 0.25
LINGER_SECONDS = 10.0
"""How long connections are kept although nothing is due."""

SECONDS_AT_ONCE = 5.0
MOST_AT_ONCE = 50
"""Hints of one look: as many as the allowance has calls for in some seconds, since each costs a few."""

SETTINGS_AGAIN = 60.0
OF_ALL = frozenset(
    {
        Reason.UNREACHABLE,
        Reason.ADDRESS_REFUSED,
        Reason.UNENCRYPTED,
        Reason.TIMEOUT,
        Reason.UNAVAILABLE,
        Reason.RATE_LIMITED,
        Reason.UNAUTHORISED,
        Reason.FORBIDDEN,
    }
)
"""What concerns every hint alike. Anything else may be the fault of one of them: they are looked at one by one."""


class Hinted:
    """The loop for hints of some kinds. open_look: see `look.OpenLook`; open_publisher: a publisher of our own."""

    def __init__(
        self,
        kinds: Sequence[str],
        open_look: OpenLook,
        *,
        connect: Callable[[], Connection],
        read: Callable[[Connection, str], Interface | None],
        open_publisher: Callable[[], Publisher],
        failpoint: Callable[[str], None],
        fatal: Callable[[BaseException], None],
    ) -> None:
        self._kinds, self.open_look = tuple(kinds), open_look
        self._connect, self._read, self._open_publisher = connect, read, open_publisher
        self._failpoint, self._fatal = failpoint, fatal
        self._stopping: Callable[[], bool] = lambda: False
        self._pause: Callable[[float], None] = lambda _: None
        self._log = structlog.get_logger()

    def run(self, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Until stopping."""
        self._stopping, self._pause = stopping, pause
        SideBySide(
            "hints",
            connect=self._connect,
            due=lambda conn: hinted_interfaces(conn, self._kinds),
            serve=self._serve,
            failed=_due_again,
            fatal=self._fatal,
            seconds=LOOK_SECONDS,
        ).run(beat, stopping, pause)

    def _serve(self, conn: Connection, slug: str) -> None:
        """Work through what is due at one interface; keep the connections for what comes soon after."""
        desk = Desk(self.open_look, self._open_publisher())
        idle_since = time.monotonic()
        try:
            while not self._stopping() and time.monotonic() - idle_since < LINGER_SECONDS:
                if self.once(conn, slug, desk):
                    idle_since = time.monotonic()
                else:
                    self._pause(LOOK_SECONDS)
        finally:
            desk.close()

    def once(self, conn: Connection, slug: str, desk: Desk) -> bool:
        """Look at one batch; False when nothing was due."""
        if slug not in hinted_interfaces(conn, self._kinds):
            return False
        interface = self._read(conn, slug)
        if interface is None or "erp" not in interface.sides:
            return False
        most = max(1, min(MOST_AT_ONCE, int(interface.sides["erp"].calls_per_second * SECONDS_AT_ONCE)))
        marks = claim_hints(conn, slug, self._kinds, most)
        if not marks:
            return False
        try:
            look = desk.look(interface)
        except ValueError as error:
            self._log.error("hints.settings-wrong", interface=slug, error=error)
            put_back(conn, slug, marks, "setting-missing", SETTINGS_AGAIN)
            return True
        self._look(conn, slug, look, desk.publisher, marks)
        return True

    def _look(self, conn: Connection, slug: str, look: Look, publisher: Publisher, marks: Sequence[Mark]) -> None:
        try:
            seen = look.look(conn, slug, marks)
        except (*GONE, Planted):
            raise
        except RemoteError as error:
            if error.reason in OF_ALL or len(marks) == 1:
                self._failed(conn, slug, marks, error)
            else:
                self._one_by_one(conn, slug, look, publisher, marks)
            return
        except Exception as error:
            if len(marks) == 1:
                self._log.error(
                    "hints.unclassified", interface=slug, error=error, fingerprint=fingerprint(error), exc_info=True
                )
                put_back(conn, slug, marks, "unclassified")
            else:
                self._one_by_one(conn, slug, look, publisher, marks)
            return
        self._failpoint("hints.read")
        self._tell(conn, slug, seen, publisher, marks)

    def _one_by_one(self, conn: Connection, slug: str, look: Look, publisher: Publisher, marks: Sequence[Mark]) -> None:
        for mark in marks:
            self._look(conn, slug, look, publisher, [mark])

    def _tell(self, conn: Connection, slug: str, seen: Seen, publisher: Publisher, marks: Sequence[Mark]) -> None:
        messages = [event.message for event in seen.events]
        if messages and any(fate is not Fate.CONFIRMED for fate in publisher.publish(messages)):
            put_back(conn, slug, marks, "broker-away")
            return
        self._failpoint("hints.published")
        remove_hints(conn, slug, seen.looked)
        self._failpoint("hints.removed")
        if seen.error is not None:
            looked = set(seen.looked)
            self._failed(conn, slug, [mark for mark in marks if mark not in looked], seen.error)
        self._log.info("hints.looked-at", interface=slug, count=len(seen.looked), events=len(messages))

    def _failed(self, conn: Connection, slug: str, marks: Sequence[Mark], error: RemoteError) -> None:
        self._log.warning("hints.failed", interface=slug, code=str(error.reason), count=len(marks))
        put_back(conn, slug, marks, str(error.reason), error.retry_after or 0.0)


def _due_again(_conn: Connection, _slug: str) -> None:
    """Hints in hand come due again when their lease ends."""


class Desk:
    """What one thread keeps open for one interface: the look at its ERP, as of its settings' revision."""

    def __init__(self, open_look: OpenLook, publisher: Publisher) -> None:
        self._open_look = open_look
        self.publisher = publisher
        self._revision: int | None = None
        self._opened: tuple[Look, Callable[[], None]] | None = None

    def look(self, interface: Interface) -> Look:
        """Opened once for each revision. Raises ValueError."""
        if self._opened is None or self._revision != interface.revision:
            self._close_look()
            self._opened = self._open_look(interface)
            self._revision = interface.revision
        return self._opened[0]

    def _close_look(self) -> None:
        if self._opened is not None:
            self._opened[1]()
            self._opened = None

    def close(self) -> None:
        """Close everything."""
        self._close_look()
        with suppress(Exception):
            self.publisher.close()
