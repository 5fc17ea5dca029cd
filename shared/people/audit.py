"""The audit: who did what to what, and why. Written by everything that changes something for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from shared.db.connect import Connection


def audit(
    conn: Connection, actor: str, verb: str, target: Mapping[str, Any] | None = None, reason: str | None = None
) -> None:
    """Write one line, e.g. `("Mara", "orders.retry", {"filter": "state:failed", "count": 31})`. No personal data."""
    conn.execute(
        "INSERT INTO audit(actor, verb, target, reason) VALUES (%s, %s, %s, %s)",
        (actor, verb, Jsonb(dict(target or {})), reason),
    )


def read_audit(conn: Connection, before: int | None = None, limit: int = 100) -> list[dict[str, Any]]:
    """The newest lines, or those older than line `before`."""
    rows = conn.execute(
        "SELECT id, at, actor, verb, target, reason FROM audit WHERE %(before)s::bigint IS NULL OR id < %(before)s"
        " ORDER BY id DESC LIMIT %(limit)s",
        {"before": before, "limit": limit},
    ).fetchall()
    return [dict(zip(("id", "at", "actor", "verb", "target", "reason"), row, strict=True)) for row in rows]
