"""A bulk run as people and programs see it: what was asked, by whom, how far it is, what failed again or was left."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from shared.db.connect import Connection
from shared.records.left_alone import SAID, Left
from shared.records.resources import OF_FLOW

LISTED = 1000
"""So many records a run names in each of its lists; `bulk_items` pages through all."""

RAMP = (1, 5, 25)
"""How many records the steps before the rest set due."""

OVER = ("done", "cancelled", "stopped")

_RUN = (
    "SELECT id, verb, flow, filter, excepted, created_by, created_at, finished_at, state, matched, why, leaves,"
    " begins_at, due_at, ramp, per_minute, step, set_due, left_alone, succeeded, failed, code, ended_by FROM bulk_runs"
)


def read_run(conn: Connection, run: UUID) -> dict[str, Any] | None:
    """The run `GET /bulk/{id}` answers with, None where there is none.

    done, skipped and failed_again name at most LISTED records each; counts and progress count all. counts.matched is
    None until the records are chosen.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_RUN + " WHERE id = %s", (run,)).fetchone()
    if row is None:
        return None
    due = conn.execute(
        "SELECT record_id FROM bulk_items WHERE run = %s AND state IN ('due', 'succeeded', 'failed')"
        " ORDER BY record_id LIMIT %s",
        (run, LISTED),
    ).fetchall()
    return {
        **_brief(row),
        "states_now": _states(conn, run, row),
        "done": [id_ for (id_,) in due],
        "skipped": {str(one["id"]): SAID[Left(one["code"])] for one in bulk_items(conn, run, "left")},
        "left": _left(conn, run),
        "failed_again": bulk_items(conn, run, "failed"),
        "listed": LISTED,
    }


def list_runs(
    conn: Connection, *, before: tuple[datetime, UUID] | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """The newest runs, or those older than (created_at, id), without their records."""
    at, id_ = before or (None, None)
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            _RUN + " WHERE %(at)s::timestamptz IS NULL OR (created_at, id) < (%(at)s, %(id)s)"
            " ORDER BY created_at DESC, id DESC LIMIT %(limit)s",
            {"at": at, "id": id_, "limit": limit},
        ).fetchall()
    return [_brief(row) for row in rows]


def bulk_items(conn: Connection, run: UUID, state: str, after: int = 0, limit: int = LISTED) -> list[dict[str, Any]]:
    """Records of a run that are `failed` (again) or were `left`, each with the reason, by id."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT i.record_id AS id, r.interface, r.key, r.state, i.code FROM bulk_items i"
            " LEFT JOIN records r ON r.id = i.record_id"
            " WHERE i.run = %s AND i.state = %s AND i.record_id > %s ORDER BY i.record_id LIMIT %s",
            (run, state, after, limit),
        ).fetchall()


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    matched, due = row["matched"], row["set_due"]
    settled = row["succeeded"] + row["failed"]
    total = (matched or 0) - row["left_alone"]
    rest = max(0, total - sum(RAMP))
    return {
        "id": str(row["id"]),
        "verb": row["verb"],
        "flow": row["flow"],
        "resource": OF_FLOW[row["flow"]].name,
        "filter": row["filter"],
        "except": row["excepted"],
        "leave": row["leaves"],
        "why": row["why"],
        "created_by": row["created_by"],
        "created_at": row["created_at"],
        "finished_at": row["finished_at"],
        "state": row["state"],
        "undo_until": row["begins_at"] if row["state"] == "undo-window" else None,
        "code": row["code"],
        "ended_by": row["ended_by"],
        "counts": {"matched": matched, "done": due, "skipped": row["left_alone"]},
        "progress": {
            "total": total,
            "set_due": due,
            "settled": settled,
            "succeeded": row["succeeded"],
            "failed": row["failed"],
            "open": due - settled,
            "to_come": 0 if row["state"] in ("done", "cancelled") else max(0, total - due),
            "percent": 100 if row["state"] == "done" else 100 * settled // total if total else 0,
        },
        "ramp": {"steps": [*RAMP, rest], "step": row["step"]} if row["ramp"] else None,
        "per_minute": row["per_minute"],
    }


def _states(conn: Connection, run: UUID, row: dict[str, Any]) -> dict[str, int]:
    """The states of the records that were set due: as they are now, of many as the run saw them last."""
    if row["set_due"] > LISTED:
        open_ = row["set_due"] - row["succeeded"] - row["failed"]
        seen = {"done": row["succeeded"], "failed": row["failed"], "pending": open_}
        return {state: count for state, count in seen.items() if count}
    found: dict[str, int] = dict(
        conn.execute(
            "SELECT r.state, count(*) FROM bulk_items i JOIN records r ON r.id = i.record_id"
            " WHERE i.run = %s AND i.state IN ('due', 'succeeded', 'failed') GROUP BY r.state ORDER BY r.state",
            (run,),
        ).fetchall()
    )
    return found


def _left(conn: Connection, run: UUID) -> dict[str, int]:
    found: dict[str, int] = dict(
        conn.execute(
            "SELECT code, count(*) FROM bulk_items WHERE run = %s AND state = 'left' GROUP BY code ORDER BY 2 DESC, 1",
            (run,),
        ).fetchall()
    )
    return found
