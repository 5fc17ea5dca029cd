"""Why there was a mail, or none: every decision with its incidents and what became of its mails. Read only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from shared.alarms import plans
from shared.alarms.plan import Plan
from shared.alarms.told import Mailing
from shared.db.connect import Connection

MOST = 200


def ledger(conn: Connection, subscription: int, *, before: datetime | None = None, limit: int = 50) -> dict[str, Any]:
    """{"items", "next", "active"}: the latest decisions of a subscription up to `before`, newest first, each with its
    incidents and mails; what comes next by itself (None: nothing); and whether it is paused."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            "SELECT id, at, what, severity, incidents, until, by FROM alarm_decisions WHERE subscription = %s"
            " AND at <= coalesce(%s, clock_timestamp()) ORDER BY at DESC, id DESC LIMIT %s",
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
        people: dict[str, str] = dict(
            conn.execute(
                "SELECT 'recipient ' || id, address FROM recipients WHERE 'recipient ' || id = ANY(%s)",
                ([row["by"] for row in rows if row["by"]],),
            ).fetchall()
        )
        state = cursor.execute("SELECT plan, active FROM subscriptions WHERE id = %s", (subscription,)).fetchone()
        plan = plans.from_json(state["plan"], plans.openings(conn, [state["plan"]])) if state else Plan()
    known = {one["id"]: one for one in about}
    items = [
        row
        | {
            "by": people.get(row["by"], row["by"]),
            "incidents": [known[one] for one in row["incidents"] if one in known],
            "mails": [_without_decision(mail) for mail in mails if mail["decision"] == row["id"]],
        }
        for row in rows
    ]
    return {
        "items": items,
        "next": _next(plan) if state and state["active"] else None,
        "active": bool(state and state["active"]),
    }


def _next(plan: Plan) -> dict[str, Any] | None:
    """{"at", "incidents", "what"}: when the next mail goes if nothing happens, about how many, and of which kind."""
    at = plan.next()
    if at is None:
        return None
    ready = [one for one in plan.incidents if one.next() == at]
    news = {one.news for one in ready if one.due is not None}
    what = Mailing.REMINDER if not news else news.pop() if len(news) == 1 else Mailing.DIGEST
    return {"at": at, "incidents": len(ready), "what": str(what)}


def open_incidents(conn: Connection, interface: str | None = None, *, days: int = 0) -> list[dict[str, Any]]:
    """Incidents that are open, and with `days` those that ended in so many days, newest first."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT i.id, i.interface, i.flow, i.code, i.key, i.severity, i.since, i.ended, i.records, i.problem,"
            " coalesce(r.address, a.by) AS answered_by, a.until AS snoozed_until, a.at AS answered_at FROM incidents i"
            " LEFT JOIN LATERAL (SELECT by, until, at FROM alarm_answers WHERE incident = i.id"
            "   ORDER BY id DESC LIMIT 1) a ON i.ended IS NULL LEFT JOIN recipients r ON a.by = 'recipient ' || r.id"
            " WHERE (i.ended IS NULL OR i.since > now() - make_interval(days => %s))"
            " AND (%s::text IS NULL OR i.interface = %s) ORDER BY i.ended IS NOT NULL, i.since DESC LIMIT 500",
            (days, interface, interface),
        ).fetchall()


def _without_decision(mail: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in mail.items() if name != "decision"}
