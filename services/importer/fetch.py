"""Fetches orders that a person asked for by number, and fills the receipt; also takes in a fresh copy for the worker.

What is found is taken in directly, not through the broker, so that it works while the broker is away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import structlog

from services.importer.polled import polled_event
from shared.connectors.contract import OrderSource, RemoteError, SourceOrder
from shared.db.connect import GONE, Connection
from shared.errors.fingerprint import fingerprint
from shared.failpoint import Planted
from shared.records.change import Outcome
from shared.records.claim import Claim
from shared.records.interfaces import Interface
from shared.runtime.bell import Bell
from shared.runtime.intake import Intake, Taken
from shared.runtime.prepare import Arrival

LOOK_SECONDS = 0.5
LEASE_SECONDS = 60
AT_ONCE = 50
MOST_TRIES = 8

_CLAIM = """
WITH d AS (SELECT n.receipt, n.no FROM receipt_numbers n JOIN receipts r ON r.id = n.receipt AND r.verb = 'import'
           WHERE n.due_at <= now() ORDER BY n.due_at LIMIT %s FOR UPDATE OF n SKIP LOCKED)
UPDATE receipt_numbers n SET due_at = now() + make_interval(secs => %s), tries = tries + 1
FROM d WHERE n.receipt = d.receipt AND n.no = d.no RETURNING n.receipt, n.no, n.number, n.interface, n.tries
"""

Wanted = tuple[UUID, int, str, str, int]


def take_in_fresh(
    conn: Connection, interface: str, found: SourceOrder, failpoint: Callable[[str], None], *, forced: bool = False
) -> Taken:
    """Take in an order as the marketplace shows it now."""
    _, body = polled_event(interface, found)
    arrival = Arrival(body, "fetch", f"read from the marketplace of {interface}", "order-imported", forced=forced)
    return Intake(failpoint).take_in(conn, [arrival])[0]


def restage(conn: Connection, held: Claim, found: SourceOrder, failpoint: Callable[[str], None]) -> bool:
    """Take in a fresh copy for a worker; whether a newer copy than the claimed one is staged now."""
    take_in_fresh(conn, held.interface, found, failpoint)
    row = conn.execute("SELECT payload_no > %s FROM records WHERE id = %s", (held.payload_no, held.id)).fetchone()
    return row == (True,)


class Fetch:
    """The loop that fills receipts."""

    def __init__(
        self,
        *,
        connect: Callable[[], Connection],
        read: Callable[[Connection, str], Interface | None],
        open_source: Callable[[Interface], tuple[OrderSource, Callable[[], None]]],
        bell: Bell,
        failpoint: Callable[[str], None],
    ) -> None:
        self._connect, self._read, self._open_source = connect, read, open_source
        self._bell, self._failpoint = bell, failpoint
        self._log = structlog.get_logger()

    def run(self, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Until stopping."""
        while not stopping():
            try:
                with self._connect() as conn:
                    while not stopping():
                        beat()
                        if not self.fetch(conn):
                            pause(LOOK_SECONDS)
            except GONE as error:
                self._log.warning("fetch.database-gone", error=error)
                beat()
                pause(LOOK_SECONDS)

    def fetch(self, conn: Connection) -> bool:
        """Answer what is due; False when nothing was."""
        rows: list[Wanted] = conn.execute(_CLAIM, (AT_ONCE, LEASE_SECONDS)).fetchall()
        for slug in sorted({row[3] for row in rows}):
            self._safely(conn, slug, [row for row in rows if row[3] == slug])
        return bool(rows)

    def _safely(self, conn: Connection, slug: str, rows: Sequence[Wanted]) -> None:
        """What nobody foresaw is tried again number by number, so that one number does not hold up the others."""
        try:
            self._interface(conn, slug, rows)
        except (*GONE, Planted):
            raise
        except Exception as error:
            self._log.error(
                "fetch.unclassified", interface=slug, error=error, fingerprint=fingerprint(error), exc_info=True
            )
            if len(rows) > 1:
                for row in rows:
                    self._safely(conn, slug, [row])
            else:
                self._later(conn, rows, "unclassified")

    def _interface(self, conn: Connection, slug: str, rows: Sequence[Wanted]) -> None:
        interface = self._read(conn, slug)
        if interface is None:
            self._answer(conn, rows, "failed", code="interface-unknown")
            return
        try:
            source, close = self._open_source(interface)
        except ValueError:
            self._answer(conn, rows, "failed", code="setting-missing")
            return
        try:
            found = source.read_orders([row[2] for row in rows])
        except RemoteError as error:
            self._later(conn, rows, str(error.reason))
            return
        finally:
            close()
        self._failpoint("fetch.read")
        for row in rows:
            order = found.get(row[2])
            if order is None:
                self._answer(conn, [row], "not-found")
                continue
            taken = take_in_fresh(conn, slug, order, self._failpoint, forced=True)
            self._failpoint("fetch.stored")
            if taken.outcome is Outcome.REJECTED or taken.record_id is None:
                code = taken.problems[0].code if taken.problems else "rejected"
                self._answer(conn, [row], "failed", code=code)
            else:
                result = "exists" if taken.outcome in (Outcome.DUPLICATE, Outcome.SUPERSEDED) else "taken-in"
                self._answer(conn, [row], result, record_id=taken.record_id)
                self._bell.ring(slug)
        self._log.info("fetch.answered", interface=slug, count=len(rows))

    def _answer(
        self,
        conn: Connection,
        rows: Sequence[Wanted],
        result: str,
        *,
        record_id: int | None = None,
        code: str | None = None,
    ) -> None:
        for receipt, no, _, _, _ in rows:
            conn.execute(
                "UPDATE receipt_numbers SET result = %s, record_id = %s, code = %s, due_at = NULL"
                " WHERE receipt = %s AND no = %s",
                (result, record_id, code, receipt, no),
            )

    def _later(self, conn: Connection, rows: Sequence[Wanted], code: str) -> None:
        """The marketplace is away: try again a little later, and say why meanwhile; after eight tries give up."""
        for receipt, no, _, _, tries in rows:
            if tries >= MOST_TRIES:
                self._answer(conn, [(receipt, no, "", "", tries)], "failed", code=code)
            else:
                conn.execute(
                    "UPDATE receipt_numbers SET code = %s, due_at = now() + make_interval(secs => %s)"
                    " WHERE receipt = %s AND no = %s AND result = 'queued'",
                    (code, 2.0**tries, receipt, no),
                )
