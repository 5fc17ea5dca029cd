"""Polls an ERP's orders behind its webhooks, which come late or never: everything that changed since the watermark.

    due? → lock → read a page → leave out what the inbox has → publish, confirmed → … → move the watermark

Pages come in no order of changes, so the watermark moves when the last one is published, to when the poll began. A
crash anywhere only means that the poll is repeated, and an event derived from the same data has the same id. It takes a
share of the interface's calls and no more: orders, hints and everything that a person waits for go before.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from shared.broker.delivery import Fate, Publisher
from shared.connectors.contract import CallContext, OrderChange, RemoteError, StatusSource
from shared.db.connect import Connection
from shared.records.erp_cursor import Begin, begin_poll, erps_to_poll, note_poll
from shared.records.interfaces import Interface
from shared.records.modes import runs
from shared.runtime.gentle import Gentle, Stopped
from shared.runtime.hinted_orders import changes_to_tell
from shared.runtime.one_at_a_time import alone
from shared.runtime.side_by_side import SideBySide

OVERLAP = timedelta(minutes=5)
"""Clocks differ, and an ERP's lists lag behind."""

FIRST_LOOK_BACK = timedelta(days=1)
EVERY_SECONDS = 900.0
AGAIN_SECONDS = 60.0
LOOK_SECONDS = 1.0
SHARE = 0.25
LOCK_SPACE = 0x45525050

OpenSource = Callable[[Interface, Callable[[CallContext], CallContext]], tuple[StatusSource, Callable[[], None]]]
"""Opens the ERP's changes of orders with its calls wrapped, and how to close it. Raises ValueError."""


class ErpPoll:
    """The polling loop of one exporter. polled: told of each poll that came to its end."""

    def __init__(
        self,
        *,
        connect: Callable[[], Connection],
        read: Callable[[Connection, str], Interface | None],
        open_source: OpenSource,
        open_publisher: Callable[[], Publisher],
        polled: Callable[[str, datetime], None],
        failpoint: Callable[[str], None],
        fatal: Callable[[BaseException], None],
        every: float = EVERY_SECONDS,
        share: float = SHARE,
    ) -> None:
        self._connect, self._read = connect, read
        self._open_source, self._open_publisher = open_source, open_publisher
        self._polled, self._failpoint, self._fatal = polled, failpoint, fatal
        self._every, self._share = every, share
        self._stopping: Callable[[], bool] = lambda: False
        self._pause: Callable[[float], None] = lambda _: None
        self._log = structlog.get_logger()

    def run(self, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Until stopping."""
        self._stopping, self._pause = stopping, pause
        SideBySide(
            "erp-poll",
            connect=self._connect,
            due=lambda conn: erps_to_poll(conn, self._every, AGAIN_SECONDS),
            serve=self.poll,
            failed=lambda conn, slug: note_poll(conn, slug, "unclassified", None),
            fatal=self._fatal,
            seconds=LOOK_SECONDS,
        ).run(beat, stopping, pause)

    def poll(self, conn: Connection, slug: str) -> None:
        """One poll of one interface; returns at once when another process is polling it."""
        with alone(conn, LOCK_SPACE, slug) as mine:
            if not mine or slug not in erps_to_poll(conn, self._every, AGAIN_SECONDS):
                return  # somebody else does it, or has done it a moment ago
            interface = self._read(conn, slug)
            if interface is not None and runs(conn, slug, "order-export") and "erp" in interface.sides:
                self._poll(conn, interface)

    def _poll(self, conn: Connection, interface: Interface) -> None:
        slug, began = interface.slug, begin_poll(conn, interface.slug)
        seconds = 1 / (interface.sides["erp"].calls_per_second * self._share)
        try:
            source, close = self._open_source(
                interface, lambda calls: Gentle(calls, seconds, self._stopping, self._pause)
            )
        except ValueError as error:
            self._log.error("erp-poll.settings-wrong", interface=slug, error=error)
            note_poll(conn, slug, "setting-missing", None)
            return
        publisher = self._open_publisher()
        try:
            code = self._pages(conn, interface, source, began, publisher)
        except RemoteError as error:
            code = str(error.reason)
            self._log.warning("erp-poll.failed", interface=slug, code=code)
        except Stopped:
            return
        finally:
            publisher.close()
            close()
        note_poll(conn, slug, code, None if code else began.now)
        self._failpoint("erp-poll.moved")
        if code is None:
            self._polled(slug, began.now)

    def _pages(
        self, conn: Connection, interface: Interface, source: StatusSource, began: Begin, publisher: Publisher
    ) -> str | None:
        """Publish page after page; the code of what stood against it."""
        since = (began.watermark or interface.from_date or began.now - FIRST_LOOK_BACK) - OVERLAP
        at = began.now
        for page in source.changed_since(since):
            self._failpoint("erp-poll.read")
            if not self._page(conn, interface.slug, page, at, publisher):
                return "broker-away"
            self._failpoint("erp-poll.published")
            at = begin_poll(conn, interface.slug).now
        return None

    def _page(self, conn: Connection, slug: str, page: list[OrderChange], at: datetime, publisher: Publisher) -> bool:
        messages = [event.message for event in changes_to_tell(conn, slug, page, at)]
        if messages and any(fate is not Fate.CONFIRMED for fate in publisher.publish(messages)):
            return False
        if messages:
            self._log.info("erp-poll.published", interface=slug, count=len(messages))
        return True
