"""Why there was a mail, or none: every decision with its incidents and what became of its mails. Read only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from shared.db.connect import Connection

MOST = 200


def ledger(
    conn: Connection, subscription: int, *, before: datetime | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """The latest decisions of a subscription up to `before`, newest first, each with incidents and mails."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            "SELECT id, at, what, severity, incidents, until FROM alarm_decisions WHERE subscription = %s"
            " AND at <= coalesce(%s, now()) ORDER BY at DESC, id DESC LIMIT %s",
            (subscription, before, min(limit, MOST)),
        ).fetchall()
        mails = cursor.execute(
            "SELECT m.decision, r.address, m.state, m.tries, m.reply, m.sent_at, m.due_at FROM mails m"
            " JOIN recipients r ON r.id = m.recipient WHERE m.decision = ANY(%s) ORDER BY m.id",
            ([row["id"] for row in rows],),
        ).fetchall()
        about = cursor.execute(
            "SELECT id, interface, flow, code, key, severity, since, ended, records, problem FROM incidents"
            " WHERE id = ANY(%s)",
            ([one for row in rows for one in row["incidents"]],),
        ).fetchall()
    known = {one["id"]: one for one in about}
    return [
        row
        | {
            "incidents": [known[one] for one in row["incidents"] if one in known],
            "mails": [_without_decision(mail) for mail in mails if mail["decision"] == row["id"]],
        }
        for row in rows
    ]


def open_incidents(conn: Connection, interface: str | None = None, *, days: int = 0) -> list[dict[str, Any]]:
    """Incidents that are open, and with `days` those that ended in so many days, newest first."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT id, interface, flow, code, key, severity, since, ended, records, problem FROM incidents"
            " WHERE (ended IS NULL OR since > now() - make_interval(days => %s))"
            " AND (%s::text IS NULL OR interface = %s) ORDER BY ended IS NOT NULL, since DESC LIMIT 500",
            (days, interface, interface),
        ).fetchall()


def _without_decision(mail: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in mail.items() if name != "decision"}
