"""Confirms: looks whether the marketplace shows what it has accepted. Accepted and shown are different ticks.

Calmly: few articles are read one by one soon after they were sent, many together in pages and not so often. What does
not show is due once more, and after a few times its record fails and says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from services.stock.reading import FEW, shown
from shared.connectors.contract import RemoteError, StockSink
from shared.db.connect import GONE, Connection
from shared.errors.fingerprint import fingerprint
from shared.failpoint import Planted
from shared.records.interfaces import Interface, summaries
from shared.records.read_back import alone, articles_sent, database_now, send_again, store_shown, unconfirmed
from shared.runtime.remotes import Close

LOOK_SECONDS = 1.0
SETTLED_SECONDS = 5.0  # a marketplace may take a moment between accepting and showing
SOON_SECONDS = 5.0  # between two looks at a few articles
CALM_SECONDS = 120.0  # between two looks at many
AT_ONCE = 4


def ready(count: int, since: float) -> bool:
    """Whether to look at so many articles, so many seconds after the last look. Pure."""
    return count > 0 and since >= (SOON_SECONDS if count <= FEW else CALM_SECONDS)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the loop looks. lag: seconds until a marketplace shows what it accepted."""

    connect: Callable[[], Connection]
    read: Callable[[Connection, str], Interface | None]
    open_sink: Callable[[Interface], tuple[StockSink, Close]]
    lag: Callable[[Interface], float]
    ring: Callable[[str], None]
    failpoint: Callable[[str], None]
    fatal: Callable[[BaseException], None]
    settled: float = SETTLED_SECONDS


class Confirm:
    """The loop."""

    def __init__(self, places: Places) -> None:
        self._p = places
        self._looked_at: dict[str, float] = {}
        self._log = structlog.get_logger()

    def run(self, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Until stopping. Interfaces are looked at side by side, so that a slow marketplace holds up nobody."""
        running: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(AT_ONCE, "confirm") as threads:
            while not stopping():
                beat()
                try:
                    with self._p.connect() as conn:
                        while not stopping():
                            beat()
                            running = {slug: future for slug, future in running.items() if not future.done()}
                            for slug in self._ready(conn):
                                if slug not in running:
                                    running[slug] = threads.submit(self._safely, slug)
                            pause(LOOK_SECONDS)
                except GONE as error:
                    self._log.warning("confirm.database-gone", error=error)
                    pause(LOOK_SECONDS)

    def _ready(self, conn: Connection) -> list[str]:
        """The interfaces that it is time to look at."""
        return [
            one.slug
            for one in summaries(conn)
            if one.flows["stock"] != "paused"
            and one.breakers.get("marketplace", "closed") == "closed"
            and ready(
                len(unconfirmed(conn, one.slug, self._p.settled, FEW + 1)),
                time.monotonic() - self._looked_at.get(one.slug, float("-inf")),
            )
        ]

    def _safely(self, slug: str) -> None:
        try:
            with self._p.connect() as conn:
                self.look(conn, slug)
        except GONE as error:
            self._log.warning("confirm.database-gone", interface=slug, error=error)
        except Planted as error:
            self._p.fatal(error)
        except Exception as error:
            self._looked_at[slug] = time.monotonic()
            self._log.error(
                "confirm.unclassified", interface=slug, error=error, fingerprint=fingerprint(error), exc_info=True
            )

    def look(self, conn: Connection, slug: str) -> int:
        """Look at one interface now; returns how many articles were seen. Another process's look is not repeated."""
        self._looked_at[slug] = time.monotonic()
        interface = self._p.read(conn, slug)
        if interface is None or not alone(conn, slug):
            return 0
        try:
            lag = self._p.lag(interface)
            sink, close = self._p.open_sink(interface)
        except ValueError:
            return 0  # the work loop says so
        try:
            return self._look(conn, slug, sink, lag)
        except RemoteError as error:
            self._log.info("confirm.failed", interface=slug, code=str(error.reason))
            return 0
        finally:
            close()

    def _look(self, conn: Connection, slug: str, sink: StockSink, lag: float) -> int:
        skus = {one.record_id: one.their_sku for one in unconfirmed(conn, slug, self._p.settled + lag)}
        if not skus:
            return 0
        at = database_now(conn)
        found = shown(sink, sorted(set(skus.values())), articles_sent(conn, slug))
        self._p.failpoint("stock.shown")
        with conn.transaction():  # what was seen is not looked at again, so what follows from it must not be lost
            differ = store_shown(conn, {id_: found.get(sku) for id_, sku in skus.items()}, at)
            self._p.failpoint("stock.confirmed")
            again = send_again(conn, differ) if differ else 0
        if again:
            self._p.ring(slug)
        self._log.info("confirm.looked", interface=slug, count=len(skus), again=again)
        return len(skus)
