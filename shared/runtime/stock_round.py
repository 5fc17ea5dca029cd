"""A slow rolling look through the quantities of all listed articles, behind the webhooks that tell of changes.

    lock → turn by turn: the next few SKUs → read each → publish what is new, confirmed → remember the last SKU

It takes a share of the interface's calls, never goes round faster than `ROUND_SECONDS`, and lets hints go first. Once
it has been round, every change that no webhook told of has come in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import structlog

from shared.broker.delivery import Fate, Publisher
from shared.connectors.contract import ArticleKind, RemoteError, StockSource
from shared.db.connect import Connection
from shared.records.hints import due_hints
from shared.records.interfaces import Interface
from shared.records.rolling import Listed, looked_until, next_listed, to_look_at, turn_of
from shared.runtime.clock import DatabaseClock
from shared.runtime.erp_events import Made, stock_changed
from shared.runtime.hinted import OF_ALL
from shared.runtime.hinted_stock import STOCK_KINDS, timed_sellable
from shared.runtime.one_at_a_time import alone
from shared.runtime.side_by_side import SideBySide

SHARE = 0.25
ROUND_SECONDS = 900.0
TURN_SECONDS = 2.0
LEFT_SECONDS = 15.0
"""A look that nobody has gone on with for this long is taken over."""

SAVED_SECONDS = 30.0
"""What may be made up for at once, where hints went first for a while."""

MOST_AT_ONCE = 100
LOCK_SPACE = 0x4C4F4F4B

OpenSource = Callable[[Interface], tuple[StockSource, Callable[[], None]]]
"""Opens the ERP's stock, and how to close it. Raises ValueError where the settings do not fit."""


class StockRound:
    """The loop of one stock process. share: of the ERP side's calls; round_seconds: once round at the fastest."""

    def __init__(
        self,
        *,
        connect: Callable[[], Connection],
        read: Callable[[Connection, str], Interface | None],
        open_source: OpenSource,
        open_publisher: Callable[[], Publisher],
        failpoint: Callable[[str], None],
        fatal: Callable[[BaseException], None],
        share: float = SHARE,
        round_seconds: float = ROUND_SECONDS,
        turn_seconds: float = TURN_SECONDS,
    ) -> None:
        self._connect, self._read = connect, read
        self._open_source, self._open_publisher = open_source, open_publisher
        self._failpoint, self._fatal = failpoint, fatal
        self._share, self._round_seconds, self._turn_seconds = share, round_seconds, turn_seconds
        self._stopping: Callable[[], bool] = lambda: False
        self._pause: Callable[[float], None] = lambda _: None
        self._log = structlog.get_logger()

    def run(self, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Until stopping."""
        self._stopping, self._pause = stopping, pause
        SideBySide(
            "stock-round",
            connect=self._connect,
            due=lambda conn: to_look_at(conn, LEFT_SECONDS),
            serve=self._serve,
            failed=_skip,
            fatal=self._fatal,
            seconds=1.0,
        ).run(beat, stopping, pause)

    def _serve(self, conn: Connection, slug: str) -> None:
        """Go round one interface, until it is none of ours any more; what it opened is kept from turn to turn."""
        with alone(conn, LOCK_SPACE, slug) as mine:
            if not mine:
                return
            turns = Turns(self._open_source, self._share, self._round_seconds)
            try:
                while not self._stopping() and slug in to_look_at(conn, 0.0):
                    interface = self._read(conn, slug)
                    if interface is None or "erp" not in interface.sides:
                        return
                    self.turn(conn, interface, turns)
                    self._pause(self._turn_seconds)
            finally:
                turns.close()

    def turn(self, conn: Connection, interface: Interface, turns: Turns) -> None:
        """Read the next few articles, as many as have become its share since the last turn."""
        slug, turn = interface.slug, turn_of(conn, interface.slug)
        if turn is None:
            return
        count = 0 if due_hints(conn, slug, STOCK_KINDS) else turns.share(interface, turn.articles)
        batch = next_listed(conn, slug, turn.after, count) if count else []
        if batch:
            self._batch(conn, interface, turns, batch, turn.after)
        else:
            looked_until(conn, slug, None if count else turn.after)

    def _batch(
        self, conn: Connection, interface: Interface, turns: Turns, batch: Sequence[Listed], after: str | None
    ) -> None:
        slug = interface.slug
        try:
            source = turns.source(interface)
        except ValueError as error:
            self._log.error("stock-round.settings-wrong", interface=slug, error=error)
            looked_until(conn, slug, after)
            return
        listed = {one.sku: one for one in batch}
        made: list[Made] = []
        until, last = batch[-1].sku, None
        try:
            for each, begun in timed_sellable(source, list(listed), DatabaseClock(), conn):
                one, last = listed[each.sku], each.sku
                kind: ArticleKind = "variant" if one.kind == "variant" else "simple"
                event = stock_changed(slug, one.sku, each.quantity, begun, kind=kind, parent_sku=one.parent_sku)
                if event.data_hash != one.data_hash:
                    made.append(event)
        except RemoteError as error:
            self._log.warning("stock-round.failed", interface=slug, code=str(error.reason))
            if last is None and error.reason in OF_ALL:
                looked_until(conn, slug, after)
                return
            # What nobody can read must not hold up the round. It comes first in the next turn, and is left out then.
            until = last or batch[0].sku
        self._failpoint("stock-round.read")
        if made and not self._publish(made):
            looked_until(conn, slug, after)
            return
        self._failpoint("stock-round.published")
        looked_until(conn, slug, until)
        self._failpoint("stock-round.moved")
        if made:
            self._log.info("stock-round.published", interface=slug, count=len(made))

    def _publish(self, made: Sequence[Made]) -> bool:
        publisher = self._open_publisher()
        try:
            return all(fate is Fate.CONFIRMED for fate in publisher.publish([event.message for event in made]))
        finally:
            publisher.close()


class Turns:
    """What one interface's round keeps from turn to turn: its share of calls that is saved up, and the open ERP."""

    def __init__(self, open_source: OpenSource, share: float, round_seconds: float) -> None:
        self._open_source, self._share, self._round_seconds = open_source, share, round_seconds
        self._saved, self._at = 0.0, time.monotonic()
        self._opened: tuple[int, StockSource, Callable[[], None]] | None = None

    def share(self, interface: Interface, articles: int) -> int:
        """How many articles may be read now."""
        now = time.monotonic()
        pace = min(interface.sides["erp"].calls_per_second * self._share, articles / self._round_seconds)
        self._saved = min(self._saved + (now - self._at) * pace, max(1.0, SAVED_SECONDS * pace))
        self._at = now
        count = min(MOST_AT_ONCE, int(self._saved))
        self._saved -= count
        return count

    def source(self, interface: Interface) -> StockSource:
        """Opened once for each revision: a connector remembers the ids of its articles. Raises ValueError."""
        if self._opened is None or self._opened[0] != interface.revision:
            self.close()
            source, close = self._open_source(interface)
            self._opened = interface.revision, source, close
        return self._opened[1]

    def close(self) -> None:
        """Close the ERP."""
        if self._opened is not None:
            self._opened[2]()
            self._opened = None


def _skip(conn: Connection, slug: str) -> None:
    """Nobody foresaw what came: go on behind the article that was next."""
    turn = turn_of(conn, slug)
    if turn is not None:
        batch = next_listed(conn, slug, turn.after, 1)
        looked_until(conn, slug, batch[0].sku if batch else None)
