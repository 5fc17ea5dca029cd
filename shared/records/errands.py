"""Errands: long work for one interface that a person or the night asks for: listing, drift, a rehearsal.

One of a kind is open per interface. A process that takes one holds it under a lease; if it dies, another begins again:
every errand is harmless to repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from shared.db.connect import Connection

ErrandVerb = Literal["listing", "drift", "rehearsal"]
OF_STOCK: tuple[ErrandVerb, ...] = ("listing", "drift")


@dataclass(frozen=True, slots=True)
class Errand:
    """An errand in a process's hands. tries: how often it was taken; fences what is said about it."""

    id: UUID
    verb: ErrandVerb
    interface: str
    tries: int


def ask_errand(conn: Connection, verb: ErrandVerb, interface: str, actor: str) -> UUID:
    """Ask for it; one that is open already is the same wish. Returns its id."""
    row = conn.execute(
        "INSERT INTO errands AS e (verb, interface, created_by) VALUES (%s, %s, %s)"
        " ON CONFLICT (interface, verb) WHERE finished_at IS NULL DO UPDATE SET created_by = e.created_by RETURNING id",
        (verb, interface, actor),
    ).fetchone()
    assert row is not None
    return UUID(str(row[0]))


def take_errand(
    conn: Connection, lease: float, verbs: Sequence[ErrandVerb] = OF_STOCK, interface: str | None = None
) -> Errand | None:
    """The next one of these verbs that is due, held for so many seconds; progress renews it."""
    row = conn.execute(
        "WITH d AS (SELECT id FROM errands WHERE due_at <= now() AND verb = ANY(%s)"
        "   AND (%s::text IS NULL OR interface = %s) ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)"
        " UPDATE errands e SET due_at = now() + make_interval(secs => %s), tries = least(e.tries + 1, 30000), seen = 0"
        " FROM d WHERE e.id = d.id RETURNING e.id, e.verb, e.interface, e.tries",
        (list(verbs), interface, interface, lease),
    ).fetchone()
    return None if row is None else Errand(*row)


def due_errands(conn: Connection, verb: ErrandVerb) -> list[str]:
    """The interfaces where one of this kind is due."""
    rows = conn.execute("SELECT interface FROM errands WHERE due_at <= now() AND verb = %s ORDER BY due_at", (verb,))
    return [slug for (slug,) in rows.fetchall()]


def note_progress(conn: Connection, errand: Errand, seen: int, lease: float) -> bool:
    """How many articles so far, and a fresh lease. False: another process has it now, or nobody wants it any more."""
    row = conn.execute(
        "UPDATE errands SET seen = %s, due_at = now() + make_interval(secs => %s)"
        " WHERE id = %s AND tries = %s AND finished_at IS NULL RETURNING 1",
        (seen, lease, errand.id, errand.tries),
    ).fetchone()
    return row is not None


def finish_errand(
    conn: Connection, errand: Errand, result: dict[str, Any] | None = None, code: str | None = None
) -> bool:
    """It is through, or, with a code, it cannot be done. False: it was not ours any more."""
    row = conn.execute(
        "UPDATE errands SET finished_at = now(), due_at = NULL, result = %s, code = %s"
        " WHERE id = %s AND tries = %s AND finished_at IS NULL RETURNING 1",
        (None if result is None else Jsonb(result), code, errand.id, errand.tries),
    ).fetchone()
    return row is not None


def end_errands(conn: Connection, verb: ErrandVerb, interface: str, code: str) -> None:
    """Nobody foresaw what came: the open one of this kind ends there."""
    conn.execute(
        "UPDATE errands SET finished_at = now(), due_at = NULL, code = %s"
        " WHERE verb = %s AND interface = %s AND finished_at IS NULL",
        (code, verb, interface),
    )


def put_off(conn: Connection, errand: Errand, code: str, after: float) -> None:
    """Something passing stands against it: again in so many seconds, and why."""
    conn.execute(
        "UPDATE errands SET code = %s, due_at = now() + make_interval(secs => %s)"
        " WHERE id = %s AND tries = %s AND finished_at IS NULL",
        (code, after, errand.id, errand.tries),
    )


def read_errand(conn: Connection, errand: UUID) -> dict[str, Any] | None:
    """What was asked, by whom, how far it is, and what came of it."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            "SELECT id::text, verb, interface, created_by, created_at, seen, result, code, finished_at"
            " FROM errands WHERE id = %s",
            (errand,),
        ).fetchone()
    return None if row is None else dict(row)


def last_errands(conn: Connection, interface: str) -> dict[str, dict[str, Any]]:
    """The latest of each kind, by verb."""
    rows = conn.execute(
        "SELECT DISTINCT ON (verb) id FROM errands WHERE interface = %s ORDER BY verb, created_at DESC", (interface,)
    ).fetchall()
    found = [read_errand(conn, row[0]) for row in rows]
    return {one["verb"]: one for one in found if one is not None}
