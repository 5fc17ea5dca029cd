"""Writes the words that records are searched by, behind those who change the records. One at a time over all processes.

Triggers note in `search_stale` what may have changed (migration 0007). A batch of notes is read, the texts are written
as they are by then, exactly those notes are removed: one transaction, so a crash leaves them for the next. Whoever
searches meanwhile looks at the records that are noted. Called by the Journal's loop.
"""
# ruff: noqa: S608 - put together from texts of ours

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.db.connect import Connection
from shared.records.indexed import WORDS
from shared.records.search import SEARCHED

BATCH = 500
LOCK = 0x5345_4152_4348  # "SEARCH", as the advisory lock's number
COUNTED_TO = 100_000

_NOTES = """
SELECT ctid::text, record_id FROM search_stale WHERE record_id > %s ORDER BY record_id LIMIT %s
"""
_WRITE = f"""
INSERT INTO search_texts AS t (record_id, words)
SELECT id, {WORDS} FROM (
  SELECT r.id, r.flow, {SEARCHED} AS text FROM records r WHERE r.id = ANY(%s) ORDER BY r.id OFFSET 0) r
ON CONFLICT (record_id) DO UPDATE SET words = excluded.words WHERE t.words IS DISTINCT FROM excluded.words
"""


@dataclass(slots=True)
class Indexer:
    """Goes round through the notes by record, so that none waits behind others for ever. Of one process."""

    at: int = 0

    def batch(self, conn: Connection, failpoint: Callable[[str], None], limit: int = BATCH) -> int:
        """Index what the next notes name; returns how many notes went. 0: none is left, or another process is at it."""
        with conn.transaction():
            if conn.execute("SELECT pg_try_advisory_xact_lock(%s)", (LOCK,)).fetchone() != (True,):
                return 0
            notes = conn.execute(_NOTES, (self.at, limit)).fetchall()
            if not notes and self.at:
                notes = conn.execute(_NOTES, (0, limit)).fetchall()
            if not notes:
                self.at = 0
                return 0
            failpoint("search.read")
            conn.execute(_WRITE.encode(), (sorted({record_id for _, record_id in notes}),))
            failpoint("search.written")
            # Nobody else removes or changes notes, so a row stands where it was read.
            conn.execute("DELETE FROM search_stale WHERE ctid = ANY(%s::text[]::tid[])", ([at for at, _ in notes],))
        failpoint("search.removed")
        self.at = notes[-1][1] if len(notes) == limit else 0
        return len(notes)


def behind(conn: Connection) -> int:
    """How many notes wait, counted up to COUNTED_TO."""
    row = conn.execute("SELECT count(*) FROM (SELECT FROM search_stale LIMIT %s) s", (COUNTED_TO,)).fetchone()
    return int(row[0]) if row else 0
