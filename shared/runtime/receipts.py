"""Answers receipts: what a person asked for by number is read from a remote system and taken in.

What is found is taken in directly, not through the broker, so that it works while the broker is away. One loop per verb
(import, export, sync); what is read, and where, is told by the service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import structlog

from shared.connectors.contract import RemoteError
from shared.db.connect import GONE, Connection
from shared.errors.fingerprint import fingerprint
from shared.failpoint import Planted
from shared.records.actions import run_again
from shared.records.change import Outcome
from shared.records.drafted import Drafted, store_drafted
from shared.records.interfaces import Interface
from shared.runtime.bell import Bell
from shared.runtime.intake import Intake, Taken
from shared.runtime.prepare import Arrival

LOOK_SECONDS = 0.5
LEASE_SECONDS = 60
AT_ONCE = 50
MOST_TRIES = 8

_CLAIM = """
WITH d AS (SELECT n.receipt, n.no, r.created_by, r.dry_run FROM receipt_numbers n JOIN receipts r ON r.id = n.receipt
           WHERE n.due_at <= now() AND r.verb = %s ORDER BY n.due_at LIMIT %s FOR UPDATE OF n SKIP LOCKED)
UPDATE receipt_numbers n SET due_at = now() + make_interval(secs => %s), tries = tries + 1
FROM d WHERE n.receipt = d.receipt AND n.no = d.no
RETURNING n.receipt, n.no, n.number, n.interface, n.tries, d.created_by, d.dry_run
"""


class Wanted(NamedTuple):
    """One number of a receipt; actor is who asked."""

    receipt: UUID
    no: int
    number: str
    interface: str
    tries: int
    actor: str
    dry_run: bool


Found = Mapping[str, Sequence[Arrival]]
"""By number, the events to take in: its own first. What is left out was not found."""

Look = Callable[[Connection, Interface, Sequence[str]], Found]
"""Read these numbers of an interface now. Raises RemoteError, and ValueError where settings do not fit."""

Preview = Callable[[Connection, Interface, Sequence[str]], Mapping[str, Drafted]]
"""By number, what a dry run shows: only reads, stores nothing. Raises as `Look` does."""


class Receipts:
    """The loop of one verb."""

    def __init__(
        self,
        verb: str,
        look: Look,
        *,
        connect: Callable[[], Connection],
        read: Callable[[Connection, str], Interface | None],
        bell: Bell,
        failpoint: Callable[[str], None],
        insist: Callable[[Connection, int], None] | None = None,
        preview: Preview | None = None,
    ) -> None:
        """insist: what is found runs again even if nothing changed; called with the record, before it is set due.

        preview: answers those receipts that only want to see what would be sent.
        """
        self._verb, self._look, self._insist, self._preview = verb, look, insist, preview
        self._connect, self._read = connect, read
        self._bell, self._failpoint = bell, failpoint
        self._log = structlog.get_logger().bind(verb=verb)

    def run(self, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Until stopping."""
        while not stopping():
            try:
                with self._connect() as conn:
                    while not stopping():
                        beat()
                        if not self.answer(conn):
                            pause(LOOK_SECONDS)
            except GONE as error:
                self._log.warning("fetch.database-gone", error=error)
                beat()
                pause(LOOK_SECONDS)

    def answer(self, conn: Connection) -> bool:
        """Answer what is due; False when nothing was."""
        rows = [Wanted(*row) for row in conn.execute(_CLAIM, (self._verb, AT_ONCE, LEASE_SECONDS))]
        for slug, dry in sorted({(row.interface, row.dry_run) for row in rows}):
            self._safely(conn, slug, [row for row in rows if (row.interface, row.dry_run) == (slug, dry)])
        return bool(rows)

    def _safely(self, conn: Connection, slug: str, rows: Sequence[Wanted]) -> None:
        """What nobody foresaw is tried again number by number, so that one number does not hold up the others."""
        try:
            self._of_interface(conn, slug, rows)
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

    def _of_interface(self, conn: Connection, slug: str, rows: Sequence[Wanted]) -> None:
        interface = self._read(conn, slug)
        if interface is None:
            _answer(conn, rows, "failed", code="interface-unknown")
            return
        numbers = [row.number for row in rows]
        try:
            if rows[0].dry_run:
                drafted = self._preview(conn, interface, numbers) if self._preview else {}
                _show(conn, rows, drafted)
                return
            found = self._look(conn, interface, numbers)
        except ValueError:
            _answer(conn, rows, "failed", code="setting-missing")
            return
        except RemoteError as error:
            self._later(conn, rows, str(error.reason))
            return
        self._failpoint("fetch.read")
        for row in rows:
            self._take_in(conn, row, found.get(row.number, ()))
        self._bell.ring(slug)
        self._log.info("fetch.answered", interface=slug, count=len(rows))

    def _take_in(self, conn: Connection, row: Wanted, arrivals: Sequence[Arrival]) -> None:
        if not arrivals:
            _answer(conn, [row], "not-found")
            return
        taken = Intake(self._failpoint).take_in(conn, arrivals)
        for one in taken:
            if self._insist is not None and one.record_id is not None:
                with conn.transaction():
                    self._insist(conn, one.record_id)
                    if one.outcome is not Outcome.APPLIED:
                        run_again(conn, one.record_id, row.actor)
        self._failpoint("fetch.stored")
        own = taken[0]
        if own.outcome is Outcome.REJECTED or own.record_id is None:
            _answer(conn, [row], "failed", code=own.problems[0].code if own.problems else "rejected")
        else:
            _answer(conn, [row], self._result(own), record_id=own.record_id)

    def _result(self, own: Taken) -> str:
        """An import of what is there already is no news; an export or a sync runs all the same."""
        known = own.outcome in (Outcome.DUPLICATE, Outcome.SUPERSEDED)
        return "exists" if known and self._insist is None else "taken-in"

    def _later(self, conn: Connection, rows: Sequence[Wanted], code: str) -> None:
        """The remote system is away: try again a little later, and say why meanwhile; after eight tries give up."""
        for row in rows:
            if row.tries >= MOST_TRIES:
                _answer(conn, [row], "failed", code=code)
            else:
                conn.execute(
                    "UPDATE receipt_numbers SET code = %s, due_at = now() + make_interval(secs => %s)"
                    " WHERE receipt = %s AND no = %s AND result = 'queued'",
                    (code, 2.0**row.tries, row.receipt, row.no),
                )


def _show(conn: Connection, rows: Sequence[Wanted], drafted: Mapping[str, Drafted]) -> None:
    for row in rows:
        one = drafted.get(row.number)
        if one is None:
            _answer(conn, [row], "not-found")
        else:
            store_drafted(conn, row.receipt, row.no, one)


def _answer(
    conn: Connection, rows: Sequence[Wanted], result: str, *, record_id: int | None = None, code: str | None = None
) -> None:
    for row in rows:
        conn.execute(
            "UPDATE receipt_numbers SET result = %s, record_id = %s, code = %s, due_at = NULL"
            " WHERE receipt = %s AND no = %s",
            (result, record_id, code, row.receipt, row.no),
        )
