"""What the database knows of its parts: one row each, and one for each record that was taken out with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from shared.archive.folder import Name
from shared.db.connect import Connection

State = Literal["writing", "written", "archived"]
Kind = Literal["orders", "articles"]

LOCK = 0x61726368  # "arch", as the advisory lock's number

_COLUMNS = (
    "no, kind, month, id::text, state, records, rows, bytes, manifest, begun_at, done_at,"
    " (SELECT count(*) FROM archived a WHERE a.part = no)"
)


@dataclass(frozen=True, slots=True)
class Part:
    """A row. records and rows: in its files; taken_out: records of which the database has only what stays."""

    no: int
    kind: Kind
    month: date
    id: str
    state: State
    records: int | None
    rows: int | None
    bytes: int | None
    manifest: str | None
    begun_at: datetime
    done_at: datetime | None
    taken_out: int

    @property
    def until(self) -> datetime | None:
        """Of articles: what happened before this is in it."""
        return month_after(self.month) if self.kind == "articles" else None

    @property
    def name(self) -> Name:
        """Where it lies."""
        return Name(self.month, self.no, self.id[:8])


def month_after(first: date) -> datetime:
    """When a month ends, of its first day."""
    return datetime(first.year + first.month // 12, first.month % 12 + 1, 1, tzinfo=UTC)


def lock(conn: Connection) -> bool:
    """Whether nobody else archives or restores, until this connection ends."""
    return conn.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,)).fetchone() == (True,)


def parts(conn: Connection, state: State | None = None) -> list[Part]:
    """All of them, or those in one state, in their order."""
    rows = conn.execute(
        f"SELECT {_COLUMNS} FROM archive_parts WHERE %(s)s::text IS NULL OR state = %(s)s ORDER BY no".encode(),  # noqa: S608
        {"s": state},
    ).fetchall()
    return [Part(*row) for row in rows]


def part(conn: Connection, no: int) -> Part | None:
    """One of them."""
    return next((one for one in parts(conn) if one.no == no), None)


def new(conn: Connection, kind: Kind, month: date) -> Part:
    """A part that is about to be written."""
    row = conn.execute("INSERT INTO archive_parts(kind, month) VALUES (%s, %s) RETURNING no", (kind, month)).fetchone()
    assert row is not None
    found = part(conn, row[0])
    assert found is not None
    return found


def written(conn: Connection, no: int, records: int, rows: int, size: int, manifest: str) -> None:
    """Its folder has its name: from now on rows may be taken out."""
    conn.execute(
        "UPDATE archive_parts SET state = 'written', records = %s, rows = %s, bytes = %s, manifest = %s WHERE no = %s",
        (records, rows, size, manifest, no),
    )


def finished(conn: Connection, no: int) -> None:
    """Whatever could be taken out is."""
    conn.execute("UPDATE archive_parts SET state = 'archived', done_at = now() WHERE no = %s", (no,))


def forget(conn: Connection, no: int) -> None:
    """A part that was not written to its end."""
    conn.execute("DELETE FROM archive_parts WHERE no = %s AND state = 'writing'", (no,))


def note(conn: Connection, no: int, ids: Sequence[int]) -> None:
    """These records were taken out with it. In the transaction that does."""
    conn.execute("INSERT INTO archived(record_id, part) SELECT unnest(%s::int8[]), %s", (list(ids), no))


def noted(conn: Connection, no: int, ids: Sequence[int]) -> list[int]:
    """Those of these records that were."""
    rows = conn.execute("SELECT record_id FROM archived WHERE part = %s AND record_id = ANY(%s)", (no, list(ids)))
    return [row[0] for row in rows.fetchall()]


def taken_back(conn: Connection, no: int, ids: Sequence[int]) -> list[int]:
    """Those of these records that were, and are not any more. In the transaction that brings their rows back."""
    rows = conn.execute(
        "DELETE FROM archived WHERE part = %s AND record_id = ANY(%s) RETURNING record_id", (no, list(ids))
    ).fetchall()
    return [row[0] for row in rows]


def parts_of(conn: Connection, ids: Sequence[int]) -> dict[int, list[int]]:
    """By part, those of these records that were taken out with it."""
    rows = conn.execute(
        "SELECT part, array_agg(record_id) FROM archived WHERE record_id = ANY(%s) GROUP BY part ORDER BY part",
        (list(ids),),
    ).fetchall()
    return dict(rows)
