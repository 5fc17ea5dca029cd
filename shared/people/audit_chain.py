"""The audit's chain of hashes: `connect audit verify` finds lines that were changed, removed or slipped in afterwards.

    deed ─▶ line of the audit, in the deed's transaction ─▶ some seconds later: sealed, each with the hash before it

Sealed by the Journal, not by the deed: deeds do not wait for each other. Each sealing also notes the newest hash in the
log, where somebody who rules the database cannot change it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from psycopg.rows import tuple_row

from shared.db.connect import Connection

LOCK = 0x41756469  # "Audi": one sealer at a time
BEGIN = b"\0" * 32
AT_ONCE = 1000
LATE_LINES = 10_000
"""A line whose transaction took its time has a smaller number than some that are sealed already. So far back it is
looked for; further back only `verify` looks."""
OPEN_SECONDS = 900
MOST_NAMED = 20


@dataclass
class Verdict:
    """lines: of the audit; sealed: links of the chain; erased: lines that the rules of retention removed or changed;
    head: the newest hash. wrong: (line, what is wrong with it), at most so many."""

    lines: int = 0
    sealed: int = 0
    erased: int = 0
    waiting: int = 0
    head: str = BEGIN.hex()
    head_found: bool = True
    wrong: list[tuple[int, str]] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong and self.head_found


def seal(conn: Connection, at_once: int = AT_ONCE) -> tuple[int, str]:
    """Seal lines that are not sealed yet; returns how many, and the newest hash. Several may try: one does it."""
    with conn.transaction():
        if conn.execute("SELECT pg_try_advisory_xact_lock(%s)", (LOCK,)).fetchone() != (True,):
            return 0, ""
        last = conn.execute("SELECT no, hash FROM audit_chain ORDER BY no DESC LIMIT 1").fetchone()
        no, before = last or (0, BEGIN)
        rows = conn.execute(
            "SELECT a.id, audit_line(a) FROM audit a"
            " WHERE a.id > coalesce((SELECT max(audit_id) FROM audit_chain) - %s, 0)"
            " AND NOT EXISTS (SELECT FROM audit_chain c WHERE c.audit_id = a.id) ORDER BY a.id LIMIT %s",
            (LATE_LINES, at_once),
        ).fetchall()
        links = []
        for audit_id, line in rows:
            no, before = no + 1, _next(bytes(before), bytes(line))
            links.append((no, audit_id, line, before))
        if links:
            with conn.cursor() as cursor:
                cursor.executemany("INSERT INTO audit_chain(no, audit_id, line, hash) VALUES (%s, %s, %s, %s)", links)
        return len(links), bytes(before).hex()


def verify(conn: Connection, head: str | None = None) -> Verdict:
    """Go through all of it. head: a newest hash that was noted elsewhere earlier; it has to be in the chain."""
    said = Verdict(head_found=head is None or set(head) == {"0"})
    before, expected = BEGIN, 1
    # One moment for all of it, so that a line that is written meanwhile is not taken for one that was slipped in.
    with conn.transaction(), conn.cursor("chain", row_factory=tuple_row) as cursor:
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.itersize = 5000
        cursor.execute(
            "SELECT c.no, c.audit_id, c.line, c.hash, c.erased_at IS NOT NULL,"
            " CASE WHEN a.id IS NOT NULL THEN audit_line(a) END FROM audit_chain c"
            " LEFT JOIN audit a ON a.id = c.audit_id ORDER BY c.no"
        )
        for no, audit_id, line, link, erased, now in cursor:
            before = _next(before, bytes(line))
            if no != expected:
                _wrong(said, audit_id, "links before it were removed")
            if before != bytes(link):
                _wrong(said, audit_id, "its link does not follow from the one before")
            before, expected = bytes(link), no + 1
            said.sealed += 1
            said.erased += erased
            if not erased and (now is None or bytes(now) != bytes(line)):
                _wrong(said, audit_id, "was removed" if now is None else "was changed")
            if head is not None and before.hex() == head.lower():
                said.head_found = True
        said.head = before.hex()
        for audit_id, waits in conn.execute(
            "SELECT a.id, a.at > now() - make_interval(secs => %s) FROM audit a"
            " WHERE NOT EXISTS (SELECT FROM audit_chain c WHERE c.audit_id = a.id) ORDER BY a.id",
            (OPEN_SECONDS,),
        ):
            said.waiting += 1
            if not waits:
                _wrong(said, audit_id, "was never sealed: written past Connect, or no Journal runs")
        counted = conn.execute("SELECT count(*) FROM audit").fetchone()
        said.lines = counted[0] if counted else 0
    return said


def _next(before: bytes, line: bytes) -> bytes:
    return hashlib.sha256(before + line).digest()


def _wrong(said: Verdict, audit_id: int, what: str) -> None:
    if len(said.wrong) < MOST_NAMED:
        said.wrong.append((audit_id, what))
