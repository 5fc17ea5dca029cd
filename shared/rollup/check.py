"""The self check: counts a second time, a little each round, says what differs and puts it right. Called by `rollup`.

What it finds is what no transition tells of: records deleted or no tests any more, and rows that were committed later
than any transaction should take, or dated by a clock that went back.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from shared.db.connect import Connection
from shared.rollup.chunks import Chunks, Counts, count_chunk
from shared.rollup.roller import add
from shared.rollup.stretch import CHUNK, Entered, Input, Stretch, read_stretch

Place = TypeVar("Place", Entered, Input)
COMPARED = timedelta(minutes=10)
LEFT_ALONE = timedelta(minutes=20)
"""Minutes are compared when even what took very long must have been committed."""

LATEST = timedelta(days=2)
"""What is older is not compared: it may be kept by the hour."""


def compare_chunk(conn: Connection, chunks: Chunks, chunk: int) -> int:
    """Count a chunk again that should not have changed; returns by how many records it was wrong.

    What changed meanwhile is no mistake: the same snapshot tells whether something did.
    """
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        found = count_chunk(conn, chunk)
        if found == chunks.counts[chunk]:
            return 0
        touched = conn.execute(
            "SELECT EXISTS (SELECT FROM rollup_chunks WHERE chunk = %(chunk)s AND dirty)"
            " OR EXISTS (SELECT FROM transitions WHERE at >= (SELECT rolled FROM rollup_watch)"
            "   AND record_id >= %(first)s AND record_id < %(next)s)",
            {"chunk": chunk, "first": chunk * CHUNK, "next": (chunk + 1) * CHUNK},
        ).fetchone()
    wrong = 0 if touched == (True,) else _differing(found, chunks.counts[chunk])
    chunks.count(conn, chunk)
    return wrong


def _differing(one: Counts, other: Counts) -> int:
    """How many records are counted in another place; at least 1."""
    places = one.keys() | other.keys()
    more = sum(max(0, one.get(place, (0, None))[0] - other.get(place, (0, None))[0]) for place in places)
    less = sum(max(0, other.get(place, (0, None))[0] - one.get(place, (0, None))[0]) for place in places)
    return max(more, less, 1)


def compare_minutes(conn: Connection) -> int:
    """Count some minutes again that were folded a while ago, and add what is missing; returns how much that was.

    Nothing is taken away: a counter only grows, and what is not there any more happened all the same.
    """
    with conn.transaction():
        row = conn.execute(
            "SELECT compared, date_trunc('minute', now()) - %s, rolled FROM rollup_watch FOR UPDATE", (LEFT_ALONE,)
        ).fetchone()
        assert row is not None
        since, until = _next(*row)
        if since is None or until - since < COMPARED:
            return 0
        counted, known = read_stretch(conn, since, until), _known(conn, since, until)
        missing = Stretch(entered=_more(counted.entered, known.entered), inputs=_more(counted.inputs, known.inputs))
        add(conn, missing)
        conn.execute("UPDATE rollup_watch SET compared = %s", (until,))
    wrong = sum(missing.entered.values()) + sum(missing.inputs.values())
    if wrong:
        structlog.get_logger().warning("rollup.late", since=since, until=until, count=wrong)
    return wrong


def _next(compared: datetime | None, settled: datetime, rolled: datetime | None) -> tuple[datetime | None, datetime]:
    """From when to when to compare. What was folded out of an old history was settled when it was."""
    if rolled is None or rolled < settled:
        return None, settled
    since = max(compared or settled - COMPARED, settled - LATEST)
    return since, max(since, min(settled, since + 6 * COMPARED))


def _known(conn: Connection, since: datetime, until: datetime) -> Stretch:
    entered = conn.execute(
        "SELECT minute, flow, interface, stage, state, entered FROM rollup_minutes WHERE minute >= %s AND minute < %s",
        (since, until),
    ).fetchall()
    inputs = conn.execute(
        "SELECT minute, event, interface, inputs FROM rollup_inputs WHERE minute >= %s AND minute < %s", (since, until)
    ).fetchall()
    return Stretch(
        entered={(minute, flow, slug, stage, state): n for minute, flow, slug, stage, state, n in entered},
        inputs={(minute, event, slug): n for minute, event, slug, n in inputs},
    )


def _more(counted: dict[Place, int], known: dict[Place, int]) -> dict[Place, int]:
    return {place: n - known.get(place, 0) for place, n in counted.items() if n > known.get(place, 0)}
