"""Which may go: orders over, without their person, unchanged for long; articles with something long ago."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from shared.db.connect import Connection
from shared.privacy.orders import UNDER_WAY, order_and_export

PAGE = 2_000
# A record whose export, or order, is not ready is left out later, under its lock.
_PAGE = """
SELECT p.id, (date_trunc('month', p.received_at AT TIME ZONE 'UTC'))::date, p.received_at >= %(cutoff)s,
       p.received_at < %(cutoff)s AND p.updated_at < %(cutoff)s AND p.state <> ALL(%(under_way)s)
       AND p.flow <> 'stock'
       AND EXISTS (SELECT FROM privacy_erased x WHERE x.record_id = p.id AND x.payload_no = p.payload_no)
       AND EXISTS (SELECT FROM transitions t WHERE t.record_id = p.id)
FROM (SELECT * FROM records WHERE id > %(after)s ORDER BY id LIMIT %(limit)s) p ORDER BY p.id
"""
_ARTICLES = """
SELECT p.record_id, EXISTS (
    SELECT FROM transitions t JOIN records r ON r.id = t.record_id
    WHERE t.record_id = p.record_id AND t.at < %(until)s AND t.seq < r.seq)
FROM (SELECT record_id FROM articles WHERE record_id > %(after)s ORDER BY record_id LIMIT %(limit)s) p
ORDER BY p.record_id
"""
_READY = """
SELECT array_agg(r.id ORDER BY r.id) FROM records r LEFT JOIN privacy_erased x ON x.record_id = r.id
WHERE r.id = ANY(%s) GROUP BY r.interface, r.key
HAVING bool_and(r.updated_at < %s AND coalesce(x.payload_no = r.payload_no, r.payload_no = 0))
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A record that may go, and the month in which it came in."""

    id: int
    month: date


def candidates(conn: Connection, cutoff: datetime, after: int = 0) -> Iterator[Found]:
    """Along the ids, those that came before `cutoff` and did not change since."""
    while True:
        page = conn.execute(
            _PAGE.encode(),
            {"after": after, "limit": PAGE, "cutoff": cutoff, "under_way": list(UNDER_WAY)},
        ).fetchall()
        for id_, month, _, may in page:
            if may:
                yield Found(id_, month)
        if not page or all(late for _, _, late, _ in page):
            return
        after = page[-1][0]


def articles(conn: Connection, month: date, until: datetime, after: int = 0) -> Iterator[Found]:
    """Along the ids, articles of which something happened before `until`, besides the newest."""
    while True:
        page = conn.execute(_ARTICLES.encode(), {"after": after, "limit": PAGE, "until": until}).fetchall()
        for id_, may in page:
            if may:
                yield Found(id_, month)
        if not page:
            return
        after = page[-1][0]


def lock_articles(conn: Connection, ids: Sequence[int]) -> list[int]:
    """Those of these records that nobody else holds; held until the end of the caller's transaction."""
    rows = conn.execute(
        "SELECT id FROM records WHERE id = ANY(%s) AND flow = 'stock' ORDER BY id FOR UPDATE SKIP LOCKED", (list(ids),)
    ).fetchall()
    return [row[0] for row in rows]


def ready(conn: Connection, ids: Sequence[int], cutoff: datetime) -> list[int]:
    """Of these records, which are locked, those whose whole order may go."""
    rows = conn.execute(_READY, (list(ids), cutoff)).fetchall()
    return sorted(id_ for (both,) in rows for id_ in both)


def whole_orders(conn: Connection, ids: Sequence[int]) -> list[int]:
    """These records, each with the other side of its order."""
    return sorted({one[0] for one in order_and_export(conn, ids)})
