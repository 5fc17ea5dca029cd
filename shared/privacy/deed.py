"""A deed: somebody is looked for, what is kept of them handed out, or erased. Its row is the receipt.

    ask ─▶ running ──steps──▶ done          (a found person may be erased from there: `go_on_to_erase`)

Who it is about is in the row only while that is needed. Called by API, pages and CLI alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from shared.errors.problem import storable
from shared.people.audit import audit
from shared.privacy.subject import Subject, SubjectError, read_subject

Kind = Literal["find", "export", "erase"]
LEAST_REASON = 3
LONGEST_REASON = 500
FINDINGS_DAYS = 7
"""So long it is known where somebody was found, for whoever goes on to erase; then the receipt alone stays."""

FIRST = "queues"
ERASING = "erase-orders"
_COLUMNS = "id, kind, subject, reason, created_by, created_at, state, phase, counts, left_alone, finished_at"


class ReasonMissing(SubjectError):
    """Nobody is looked up without a reason."""

    def __init__(self) -> None:
        super().__init__(
            "reason", "Say in a few words why: what was asked for, by which letter or ticket. Name nobody in it."
        )


class DeedOver(ValueError):
    """It cannot go on from here; the message says why."""


@dataclass(frozen=True, slots=True)
class Deed:
    """A row. subject None: it was forgotten, or there never was one; counts, left_alone: see migration 0019."""

    id: UUID
    kind: Kind
    subject: Subject | None
    reason: str
    created_by: str
    created_at: datetime
    state: str
    phase: str
    counts: dict[str, int]
    left_alone: list[dict[str, str]]
    finished_at: datetime | None

    @property
    def over(self) -> bool:
        """Whether no step is left."""
        return self.state == "done"

    def as_json(self) -> dict[str, Any]:
        """For programs and people: who it is about only by which kind of word."""
        return {
            "id": str(self.id),
            "kind": self.kind,
            "named_by": self.subject.named_by if self.subject else None,
            "reason": self.reason,
            "created_by": self.created_by,
            "created_at": self.created_at,
            "state": self.state,
            "phase": self.phase,
            "counts": self.counts,
            "left_alone": self.left_alone,
            "finished_at": self.finished_at,
        }


def ask(conn: Connection, kind: Kind, who: Subject, actor: str, reason: str) -> UUID:
    """Begin one, which `steps.step` then carries out; written down in the audit with its reason.

    Raises ReasonMissing.
    """
    said = because(reason)
    with conn.transaction():
        row = conn.execute(
            "INSERT INTO privacy_deeds(kind, subject, reason, created_by) VALUES (%s, %s, %s, %s) RETURNING id",
            (kind, Jsonb(who.as_json()), said, actor),
        ).fetchone()
        assert row is not None
        target = {
            "deed": str(row[0]),
            "sought": who.named_by,
            **({"interface": who.interface} if who.interface else {}),
        }
        audit(conn, actor, f"privacy.{kind}", target, said)
    return UUID(str(row[0]))


def go_on_to_erase(conn: Connection, deed: UUID, actor: str, reason: str) -> None:
    """Erase what a deed has found, looked up anew: meanwhile more may have come in.

    Raises ReasonMissing; DeedOver where it is still looking, or has forgotten who it was about.
    """
    said = because(reason)
    with conn.transaction():
        row = conn.execute(
            "SELECT state, subject, kind FROM privacy_deeds WHERE id = %s FOR UPDATE", (deed,)
        ).fetchone()
        if row is None or row[0] != "done" or row[1] is None or row[2] == "erase":
            raise DeedOver("There is nothing to erase from here: look the person up anew.")
        conn.execute("DELETE FROM privacy_found WHERE deed = %s", (deed,))
        conn.execute(
            "UPDATE privacy_deeds SET kind = 'erase', state = 'running', phase = %s, position = '[]', counts = '{}',"
            " left_alone = '[]', finished_at = NULL, reason = %s, created_by = %s WHERE id = %s",
            (FIRST, said, actor, deed),
        )
        audit(conn, actor, "privacy.erase", {"deed": str(deed), "sought": read_subject(row[1]).named_by}, said)


def read_deed(conn: Connection, deed: UUID) -> Deed | None:
    """One of them."""
    found = _read(conn, "WHERE id = %s", deed)
    return found[0] if found else None


def list_deeds(conn: Connection, limit: int = 50) -> list[Deed]:
    """The newest."""
    return _read(conn, "ORDER BY created_at DESC, id LIMIT %s", limit)


def next_deed(conn: Connection) -> UUID | None:
    """One that is not over: who began it may have died meanwhile."""
    row = conn.execute("SELECT id FROM privacy_deeds WHERE state = 'running' ORDER BY created_at LIMIT 1").fetchone()
    return row[0] if row else None


def forget_findings(conn: Connection) -> int:
    """Whom deeds were about goes some days after they are over; how many."""
    with conn.transaction():
        rows = conn.execute(
            "UPDATE privacy_deeds SET subject = NULL WHERE state = 'done' AND subject IS NOT NULL"
            " AND finished_at < now() - make_interval(days => %s) RETURNING id",
            (FINDINGS_DAYS,),
        ).fetchall()
        conn.execute("DELETE FROM privacy_found WHERE deed = ANY(%s)", ([row[0] for row in rows],))
    return len(rows)


def forget_deeds_about(conn: Connection, who: Subject, erased: UUID) -> None:
    """An erasure is over: look-ups of the same person forget whom they were about, too. In the caller's transaction."""
    texts = set(who.texts)
    rows = conn.execute("SELECT id, subject FROM privacy_deeds WHERE state = 'done' AND subject IS NOT NULL").fetchall()
    others = [(id_, read_subject(kept)) for id_, kept in rows]
    alike = [id_ for id_, one in others if texts & set(one.texts) or (who.number and one.number == who.number)]
    conn.execute("UPDATE privacy_deeds SET subject = NULL WHERE id = ANY(%s)", (alike,))
    conn.execute("DELETE FROM privacy_found WHERE deed = ANY(%s)", ([*alike, erased],))


def because(reason: str) -> str:
    """The reason as it is kept. Raises ReasonMissing."""
    said = storable(reason.strip())[:LONGEST_REASON]
    if len(said) < LEAST_REASON:
        raise ReasonMissing
    return said


def _read(conn: Connection, where: str, value: object) -> list[Deed]:
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(f"SELECT {_COLUMNS} FROM privacy_deeds {where}".encode(), (value,)).fetchall()  # noqa: S608
    return [Deed(**{**row, "subject": row["subject"] and read_subject(row["subject"])}) for row in rows]
