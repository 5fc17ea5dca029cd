"""Polls marketplaces: reads what changed since the watermark, publishes it confirmed, then moves the watermark.

    due? → lock → read a page → leave out what the inbox has → publish, confirmed → move the watermark → next page

One poller per interface at a time, whatever number of importers run: an advisory lock of the database sees to it. A
crash anywhere only means that a page is read again, and an event derived from the same data has the same id.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from services.importer.polled import polled_event
from shared.broker.delivery import Fate, Message, Publisher
from shared.connectors.contract import OrderSource, RemoteError, SourceOrder
from shared.db.connect import GONE, Connection
from shared.errors.fingerprint import fingerprint
from shared.failpoint import Planted
from shared.records.interfaces import Interface
from shared.records.modes import runs
from shared.records.overview import POLL_AGAIN_SECONDS

OVERLAP = timedelta(minutes=5)
FIRST_LOOK_BACK = timedelta(days=1)
LOOK_SECONDS = 1.0
POLLS_AT_ONCE = 4
LOCK_SPACE = 0x504F4C4C

_DUE = """
SELECT i.slug FROM interfaces i JOIN flow_modes m ON m.interface = i.slug AND m.flow = 'order-import'
  LEFT JOIN cursors c ON c.interface = i.slug
WHERE m.mode = 'live' AND (c.polled_at IS NULL
  OR c.polled_at + make_interval(secs => CASE WHEN c.code IS NULL THEN i.poll_seconds
                                              ELSE least(i.poll_seconds, %s) END) <= now())
"""


class Poll:
    """The polling loop of one importer."""

    def __init__(
        self,
        *,
        connect: Callable[[], Connection],
        read: Callable[[Connection, str], Interface | None],
        open_source: Callable[[Interface], tuple[OrderSource, Callable[[], None]]],
        open_publisher: Callable[[], Publisher],
        polled: Callable[[str, datetime], None],
        failpoint: Callable[[str], None],
        fatal: Callable[[BaseException], None],
    ) -> None:
        self._connect, self._read = connect, read
        self._open_source, self._open_publisher = open_source, open_publisher
        self._polled, self._failpoint, self._fatal = polled, failpoint, fatal
        self._log = structlog.get_logger()

    def run(self, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Until stopping. Interfaces are polled side by side, so that a slow shop holds up nobody."""
        running: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(POLLS_AT_ONCE, "poll") as threads:
            while not stopping():
                beat()
                running = {slug: future for slug, future in running.items() if not future.done()}
                try:
                    with self._connect() as conn:
                        while not stopping():
                            beat()
                            running = {slug: future for slug, future in running.items() if not future.done()}
                            for (slug,) in conn.execute(_DUE, (POLL_AGAIN_SECONDS,)).fetchall():
                                if slug not in running:
                                    running[slug] = threads.submit(self._safely, slug)
                            pause(LOOK_SECONDS)
                except GONE as error:
                    self._log.warning("poll.database-gone", error=error)
                    pause(LOOK_SECONDS)

    def _safely(self, slug: str) -> None:
        try:
            with self._connect() as conn:
                self.poll(conn, slug)
        except GONE as error:
            self._log.warning("poll.database-gone", interface=slug, error=error)
        except Planted as error:
            self._fatal(error)
        except Exception as error:
            # What one shop sends must not end the work for all the others.
            self._log.error(
                "poll.unclassified", interface=slug, error=error, fingerprint=fingerprint(error), exc_info=True
            )
            with suppress(*GONE), self._connect() as conn:
                self._note(conn, slug, "unclassified")

    def poll(self, conn: Connection, slug: str) -> None:
        """One poll of one interface; returns at once when another process is polling it."""
        lock = (LOCK_SPACE, zlib.crc32(slug.encode()) - 2**31)
        if conn.execute("SELECT pg_try_advisory_lock(%s, %s)", lock).fetchone() != (True,):
            return
        try:
            interface = self._read(conn, slug)
            if interface is not None and runs(conn, slug, "order-import"):
                self._poll(conn, interface)
        finally:
            conn.execute("SELECT pg_advisory_unlock(%s, %s)", lock)

    def _poll(self, conn: Connection, interface: Interface) -> None:
        row = conn.execute("SELECT watermark, now() FROM cursors WHERE interface = %s", (interface.slug,)).fetchone()
        if row is None:
            row = conn.execute("SELECT NULL::timestamptz, now()").fetchone()
        assert row is not None
        since = (row[0] or interface.from_date or row[1] - FIRST_LOOK_BACK) - OVERLAP
        code: str | None = None
        try:
            source, close = self._open_source(interface)
        except ValueError as error:
            self._log.error("poll.settings-wrong", interface=interface.slug, error=error)
            self._note(conn, interface.slug, "setting-missing")
            return
        publisher = self._open_publisher()
        try:
            for page in source.orders_changed(since):
                self._failpoint("poll.read")
                if not self._page(conn, interface.slug, page, publisher):
                    code = "broker-away"
                    break
        except RemoteError as error:
            code = str(error.reason)
            self._log.warning("poll.failed", interface=interface.slug, code=code)
        finally:
            publisher.close()
            close()
        self._note(conn, interface.slug, code)
        if code is None:
            self._polled(interface.slug, row[1])

    def _page(self, conn: Connection, slug: str, page: list[SourceOrder], publisher: Publisher) -> bool:
        """Publish what is new of one page and move the watermark; False if not everything was confirmed."""
        events = dict(polled_event(slug, found) for found in page)
        known = {
            row[0]
            for row in conn.execute(
                "SELECT hash FROM events WHERE hash = ANY(%(hashes)s::uuid[])"
                " UNION SELECT hash FROM rejections WHERE hash = ANY(%(hashes)s::uuid[])",
                {"hashes": list(events)},
            )
        }
        messages = [
            Message(body, f"order-imported.v1.{slug}", message_id=str(digest))
            for digest, body in events.items()
            if digest not in known
        ]
        if messages and any(fate is not Fate.CONFIRMED for fate in publisher.publish(messages)):
            return False
        self._failpoint("poll.published")
        if page:
            conn.execute(
                "INSERT INTO cursors(interface, watermark) VALUES (%s, %s) ON CONFLICT (interface) DO UPDATE"
                " SET watermark = greatest(cursors.watermark, excluded.watermark)",
                (slug, max(found.changed_at for found in page)),
            )
        self._failpoint("poll.moved")
        if messages:
            self._log.info("poll.published", interface=slug, count=len(messages))
        return True

    def _note(self, conn: Connection, slug: str, code: str | None) -> None:
        conn.execute(
            "INSERT INTO cursors(interface, polled_at, ok_at, code) VALUES (%(slug)s, now(),"
            " CASE WHEN %(code)s::text IS NULL THEN now() END, %(code)s) ON CONFLICT (interface) DO UPDATE"
            " SET polled_at = now(), ok_at = coalesce(excluded.ok_at, cursors.ok_at), code = excluded.code",
            {"slug": slug, "code": code},
        )
