"""What the database says about a run: how far it is, when it was committed, whether every count is exact.

Called by the driver. Commit times are PostgreSQL's own (track_commit_timestamp), taken right before the flush.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.broker.apply import depths
from shared.db.connect import Connection

FINISHED = {"intake": "events", "pipeline": "attempts", "latency": "attempts", "claim": "attempts"}
"""The table that gets its one row per order last."""

_COUNTS = {
    "events applied": "SELECT count(*) FROM events WHERE outcome = 'applied' AND record_id > %(base)s",
    "records": "SELECT count(*) FROM records WHERE flow = 'order-import' AND id > %(base)s",
    "payloads": "SELECT count(*) FROM payloads WHERE record_id > %(base)s",
    "arrivals": "SELECT coalesce(sum(inputs), 0) FROM arrivals",
    "rejections": "SELECT count(*) FROM rejections",
    "duplicates": "SELECT count(*) FROM duplicates",
    "records done": "SELECT count(*) FROM records WHERE state = 'done' AND due_at IS NULL AND id > %(base)s",
    "records pending": "SELECT count(*) FROM records WHERE state = 'pending' AND id > %(base)s",
    "attempts": "SELECT count(*) FROM attempts WHERE outcome = 'done' AND record_id > %(base)s",
    "transitions": "SELECT count(*) FROM transitions WHERE record_id > %(base)s",
}


@dataclass(frozen=True, slots=True)
class Span:
    """From the first commit to the last; the orders of the first are no part of what happened in between."""

    seconds: float
    orders: int


def base(conn: Connection) -> int:
    """The last record that was there before a run: whatever counts for the run is behind it."""
    row = conn.execute("SELECT coalesce(max(id), 0) FROM records").fetchone()
    return int(row[0]) if row else 0


def finished(conn: Connection, job: str, base: int) -> int:
    """How many orders are through."""
    row = conn.execute(f"SELECT count(*) FROM {FINISHED[job]} WHERE record_id > %s", (base,)).fetchone()
    return int(row[0]) if row else 0


def through(conn: Connection) -> int:
    """The same for a long run, at the same cost however many there are: what arrived and is no longer due."""
    row = conn.execute(
        "SELECT (SELECT coalesce(sum(inputs), 0) FROM arrivals)"
        " - (SELECT count(*) FROM records WHERE stage = 'erp' AND due_at IS NOT NULL)"
    ).fetchone()
    return int(row[0]) if row else 0


def span(conn: Connection, job: str, base: int) -> Span:
    """Measure a finished run: from the first intake (of a claim: the first settle) to the last order's end."""
    first = "attempts" if job == "claim" else "events"
    row = conn.execute(
        f"WITH f AS MATERIALIZED (SELECT pg_xact_commit_timestamp(xmin) AS at FROM {first} WHERE record_id > %(base)s),"
        f" l AS (SELECT max(pg_xact_commit_timestamp(xmin)) AS at, count(*) AS n FROM {FINISHED[job]}"
        " WHERE record_id > %(base)s)"
        " SELECT extract(epoch FROM l.at - (SELECT min(at) FROM f))::float8,"
        " l.n - (SELECT count(*) FROM f WHERE at = (SELECT min(at) FROM f)) FROM l",
        {"base": base},
    ).fetchone()
    assert row is not None
    return Span(row[0], row[1])


def commits(conn: Connection, base: int) -> int:
    """How many settle and intake transactions there were: orders per transaction tell how well batches form."""
    row = conn.execute(
        "SELECT (SELECT count(DISTINCT xmin::text) FROM events WHERE record_id > %(base)s)"
        " + (SELECT count(DISTINCT xmin::text) FROM attempts WHERE record_id > %(base)s)",
        {"base": base},
    ).fetchone()
    return int(row[0]) if row else 0


def committed_at(conn: Connection, table: str) -> dict[str, float]:
    """Order number → when its row in `events` (stored) or `attempts` (done) was committed, in seconds since 1970."""
    rows = conn.execute(
        f"SELECT r.key, extract(epoch FROM pg_xact_commit_timestamp(t.xmin))::float8"
        f" FROM {table} t JOIN records r ON r.id = t.record_id"
    )
    return dict(rows.fetchall())


def inexact(conn: Connection, broker: str, job: str, count: int, others: Mapping[str, int], base: int = 0) -> list[str]:
    """Every count that is not what it must be after `count` different orders; [] when all is exact.

    others: what waits in queues of the contender's own.
    """
    through = job != "intake"
    expected = dict.fromkeys(_COUNTS, count) | {
        "rejections": 0,
        "duplicates": 0,
        "records done": count if through else 0,
        "records pending": 0 if through else count,
        "attempts": count if through else 0,
        "transitions": 4 * count if through else 2 * count,
    }
    found = {}
    for name, query in _COUNTS.items():
        row = conn.execute(query, {"base": base}).fetchone()
        found[name] = int(row[0]) if row else -1
    wrong = [
        f"{name}: {found[name]:,} instead of {expected[name]:,}" for name in _COUNTS if found[name] != expected[name]
    ]
    depth = {**others, "order-imported": depths(broker).get("order-imported", 0)}
    return wrong + [f"{left:,} messages are still in {name}" for name, left in depth.items() if left]
