"""A person undoes or cancels a bulk run, or lets one go on that stopped. What was done stays done."""

from __future__ import annotations

from uuid import UUID

from shared.db.connect import Connection

KEPT_DAYS = 90


def cancel(conn: Connection, run: UUID, actor: str) -> bool | None:
    """End it: nothing more is set due. Whether it was this call that did; None where there is no such run."""
    with conn.transaction():
        row = conn.execute("SELECT state FROM bulk_runs WHERE id = %s FOR UPDATE", (run,)).fetchone()
        if row is None:
            return None
        if row[0] not in ("undo-window", "running", "paused"):
            return False
        conn.execute(
            "UPDATE bulk_runs SET state = 'cancelled', code = CASE WHEN set_due = 0 THEN 'undone' END, ended_by = %s,"
            " finished_at = now(), due_at = CASE WHEN set_due > succeeded + failed THEN now() END,"
            " matched = coalesce(matched, 0) WHERE id = %s",
            (actor, run),
        )
    return True


def forget_runs(conn: Connection) -> int:
    """Runs that ended KEPT_DAYS ago go, with their records, some at a time; the audit keeps who did what."""
    rows = conn.execute(
        "DELETE FROM bulk_runs WHERE id IN (SELECT id FROM bulk_runs WHERE due_at IS NULL"
        "   AND created_at < now() - make_interval(days => %s) ORDER BY created_at LIMIT 5) RETURNING 1",
        (KEPT_DAYS,),
    ).fetchall()
    return len(rows)


def go_on(conn: Connection, run: UUID) -> bool | None:
    """Let a run that stopped because too many failed set the rest due, without asking again. As `cancel`."""
    row = conn.execute(
        "WITH u AS (UPDATE bulk_runs SET state = 'running', code = NULL, ramp = false, finished_at = NULL,"
        "   due_at = now(), step_at = now() WHERE id = %(run)s AND state = 'stopped' AND code = 'too-many-fail'"
        "   RETURNING 1)"
        " SELECT EXISTS (SELECT FROM u) FROM bulk_runs WHERE id = %(run)s",
        {"run": run},
    ).fetchone()
    return None if row is None else bool(row[0])
