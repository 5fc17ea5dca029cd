"""The audit: who did what to what, and why. Written by everything that changes something for a person.

What its verbs say to people is in `audit_words`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from shared.errors.problem import storable


def audit(
    conn: Connection, actor: str, verb: str, target: Mapping[str, Any] | None = None, reason: str | None = None
) -> None:
    """Write one line, e.g. `("Mara", "orders.retry", {"filter": "state:failed", "count": 31})`. No personal data."""
    conn.execute(
        "INSERT INTO audit(actor, verb, target, reason) VALUES (%s, %s, %s, %s)",
        (actor, verb, Jsonb(dict(target or {})), reason),
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines; what is empty or None does not limit them.

    actor: a part of the name, whatever its case; verbs: any of these; about: a text in what it was done to, or in the
    reason; since, until: from the one up to, not including, the other.
    """

    actor: str = ""
    verbs: Sequence[str] = ()
    about: str = ""
    since: datetime | None = None
    until: datetime | None = None


def read_audit(
    conn: Connection, wanted: Wanted | None = None, *, before: int | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """The newest lines, or those older than line `before`: id, at, actor, verb, target, reason."""
    said = wanted or Wanted()
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT id, at, actor, verb, target, reason FROM audit"
            " WHERE (%(before)s::bigint IS NULL OR id < %(before)s)"
            " AND (%(actor)s = '' OR strpos(lower(actor), lower(%(actor)s)) > 0)"
            " AND (%(verbs)s::text[] = '{}' OR verb = ANY(%(verbs)s))"
            " AND (%(about)s = '' OR strpos(lower(target::text), lower(%(about)s)) > 0"
            "   OR strpos(lower(coalesce(reason, '')), lower(%(about)s)) > 0)"
            " AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)"
            " AND (%(until)s::timestamptz IS NULL OR at < %(until)s) ORDER BY id DESC LIMIT %(limit)s",
            {
                "before": before,
                "actor": storable(said.actor.strip()),
                "verbs": [storable(verb) for verb in said.verbs],
                "about": storable(said.about.strip()),
                "since": said.since,
                "until": said.until,
                "limit": limit,
            },
        ).fetchall()
