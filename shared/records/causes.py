"""What people say about a cause: a note, who takes care, that it is known. It stays when the group empties and returns.

Called by API, pages and CLI. The audit says who did what to which cause, and nothing of the note's text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg.rows import dict_row

from shared.db.connect import Connection
from shared.errors.problem import storable
from shared.people.audit import audit
from shared.records.filter import GROUP

LONGEST_NOTE = 1000  # what `storable` keeps


class Unset:
    """Stands for "leave it as it is"."""


UNSET = Unset()


@dataclass(frozen=True, slots=True)
class CauseChange:
    """What to change; what is left out stays. None takes a note or an assignee away."""

    note: str | Unset | None = field(default=UNSET)
    assignee: str | Unset | None = field(default=UNSET)
    acknowledged: bool | None = None

    @property
    def verbs(self) -> list[str]:
        """What it does, for the audit: note, assign, ack, unack."""
        said = ["note"] if not isinstance(self.note, Unset) else []
        said += ["assign"] if not isinstance(self.assignee, Unset) else []
        return said + ([] if self.acknowledged is None else ["ack" if self.acknowledged else "unack"])


class UnknownAssignee(ValueError):
    """There is no such active user. names: who there is."""

    def __init__(self, name: str, names: Sequence[str]) -> None:
        super().__init__(f"There is no active user “{name}”.")
        self.name = name
        self.names = names


def assignees(conn: Connection) -> list[str]:
    """Who may be told to take care: active users, by name."""
    rows = conn.execute("SELECT name FROM users WHERE active ORDER BY lower(name)").fetchall()
    return [name for (name,) in rows]


def change_cause(conn: Connection, cause: str, change: CauseChange, actor: str) -> bool:
    """Say something about a cause, with its audit lines; False where no record ever had it. Raises UnknownAssignee."""
    if not GROUP.fullmatch(cause):
        return False
    with conn.transaction():
        said = _change(conn, cause, change, actor)
        for verb in change.verbs if said else ():
            audit(conn, actor, f"groups.{verb}", {"group": cause})
        return said


def _change(conn: Connection, cause: str, change: CauseChange, actor: str) -> bool:
    assignee = None if isinstance(change.assignee, Unset) else _user(conn, change.assignee)
    row = conn.execute(
        "INSERT INTO causes AS c (cause, note, noted_by, noted_at, assignee, assigned_by, assigned_at, acknowledged_by,"
        "   acknowledged_at)"
        " SELECT %(cause)s, %(note)s, CASE WHEN %(noted)s THEN %(actor)s::text END, CASE WHEN %(noted)s THEN now() END,"
        "   %(assignee)s, CASE WHEN %(assigned)s THEN %(actor)s END, CASE WHEN %(assigned)s THEN now() END,"
        "   CASE WHEN %(known)s THEN %(actor)s END, CASE WHEN %(known)s THEN now() END"
        " WHERE EXISTS (SELECT FROM troubles WHERE cause = %(cause)s)"
        " ON CONFLICT (cause) DO UPDATE SET"
        "   note = CASE WHEN %(noted)s THEN excluded.note ELSE c.note END,"
        "   noted_by = CASE WHEN %(noted)s THEN %(actor)s ELSE c.noted_by END,"
        "   noted_at = CASE WHEN %(noted)s THEN now() ELSE c.noted_at END,"
        "   assignee = CASE WHEN %(assigned)s THEN excluded.assignee ELSE c.assignee END,"
        "   assigned_by = CASE WHEN %(assigned)s THEN %(actor)s ELSE c.assigned_by END,"
        "   assigned_at = CASE WHEN %(assigned)s THEN now() ELSE c.assigned_at END,"
        "   acknowledged_by = CASE WHEN %(known)s IS NULL THEN c.acknowledged_by ELSE excluded.acknowledged_by END,"
        "   acknowledged_at = CASE WHEN %(known)s IS NULL THEN c.acknowledged_at ELSE excluded.acknowledged_at END"
        " RETURNING 1",
        {
            "cause": cause,
            "note": None if isinstance(change.note, Unset) else _text(change.note),
            "noted": not isinstance(change.note, Unset),
            "assignee": assignee,
            "assigned": not isinstance(change.assignee, Unset),
            "known": change.acknowledged,
            "actor": actor,
        },
    ).fetchone()
    return row is not None


def _text(note: str | None) -> str | None:
    return storable(note.strip()) or None if note else None


def _user(conn: Connection, name: str | None) -> str | None:
    if name is None or not name.strip():
        return None
    found = conn.execute(
        "SELECT name FROM users WHERE active AND lower(name) = lower(%s)", (storable(name.strip()),)
    ).fetchone()
    if found is None:
        raise UnknownAssignee(name.strip(), assignees(conn))
    return str(found[0])


def said_of(conn: Connection, causes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What was said about these, by cause."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute("SELECT * FROM causes WHERE cause = ANY(%s)", (list(causes),)).fetchall()
    return {row["cause"]: row for row in rows}
