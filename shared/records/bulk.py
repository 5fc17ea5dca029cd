"""Retries of many records: by id or by filter, with a preview before and a record of the run behind.

One transaction, so a run is complete or did not happen. Called by the API, the pages and the CLI's `retry`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from shared.records.actions import RetryResult, retry
from shared.records.filter import Filter
from shared.records.selected import selected


def preview(
    conn: Connection, flow: str, *, ids: Sequence[int] | None, filter: Filter | None, excepted: Sequence[int] = ()
) -> dict[str, Any]:
    """What a run would touch, by state; nothing is changed. Raises TooMany."""
    found = selected(conn, flow, ids, filter, excepted)
    by_state: dict[str, int] = dict(
        conn.execute("SELECT state, count(*) FROM records WHERE id = ANY(%s) GROUP BY state", (found,)).fetchall()
    )
    empty = conn.execute("SELECT count(*) FROM records WHERE id = ANY(%s) AND payload_no = 0", (found,)).fetchone()
    return {
        "dry_run": True,
        "counts": {
            "matched": len(found),
            "by_state": by_state,
            "already_on_their_way": by_state.get("running", 0) + by_state.get("pending", 0),
            "nothing_to_send": empty[0] if empty else 0,
        },
    }


def retry_ids(conn: Connection, flow: str, ids: Sequence[int], actor: str) -> dict[str, Any]:
    """Retry these; returns the run. Ids of another flow count as not known."""
    with conn.transaction():
        known = selected(conn, flow, ids, None)
        result = retry(conn, known, actor)
        skipped = result.skipped | {one: "is not known" for one in ids if one not in set(known)}
        return _store(conn, flow, None, (), actor, len(set(ids)), RetryResult(result.done, skipped))


def retry_matching(conn: Connection, flow: str, filter: Filter, excepted: Sequence[int], actor: str) -> dict[str, Any]:
    """Retry everything that matches, except some; returns the run. Raises TooMany."""
    with conn.transaction():
        ids = selected(conn, flow, None, filter, excepted)
        return _store(conn, flow, filter.text, excepted, actor, len(ids), retry(conn, ids, actor))


def read_run(conn: Connection, run: UUID) -> dict[str, Any] | None:
    """A run: what was asked, by whom, counts, the records it set due, and why it left others alone."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            "SELECT id, verb, flow, filter, excepted, created_by, created_at, finished_at, matched, done, skipped"
            " FROM bulk_runs WHERE id = %s",
            (run,),
        ).fetchone()
    if row is None:
        return None
    states: dict[str, int] = dict(
        conn.execute("SELECT state, count(*) FROM records WHERE id = ANY(%s) GROUP BY state", (row["done"],)).fetchall()
    )
    return {
        "id": str(row["id"]),
        "verb": row["verb"],
        "flow": row["flow"],
        "filter": row["filter"],
        "except": row["excepted"],
        "created_by": row["created_by"],
        "created_at": row["created_at"],
        "finished_at": row["finished_at"],
        "counts": {"matched": row["matched"], "done": len(row["done"]), "skipped": len(row["skipped"])},
        "states_now": states,
        "done": row["done"],
        "skipped": row["skipped"],
    }


def _store(
    conn: Connection,
    flow: str,
    text: str | None,
    excepted: Sequence[int],
    actor: str,
    matched: int,
    result: RetryResult,
) -> dict[str, Any]:
    row = conn.execute(
        "INSERT INTO bulk_runs(verb, flow, filter, excepted, created_by, finished_at, matched, done, skipped)"
        " VALUES ('retry', %s, %s, %s, %s, now(), %s, %s, %s) RETURNING id",
        (
            flow,
            text,
            list(excepted),
            actor,
            matched,
            result.done,
            Jsonb({str(one): why for one, why in result.skipped.items()}),
        ),
    ).fetchone()
    assert row is not None
    run = read_run(conn, row[0])
    assert run is not None
    return run
