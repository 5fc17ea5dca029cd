"""Personal data goes by its age: walks along the ids, a slice at a time, and never twice over the same rows.

    walk ─▶ old enough? ─ no ─▶ that is the end for now (ids grow with time)
              └ yes ─▶ over? ─ yes ─▶ overwritten
                         └ no, or held ─▶ noted in `privacy_later`, looked at again each day

Orders whose data an event brought back after they were erased are noted the same way, as soon as they are seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from operator import itemgetter

from shared.db.connect import Connection
from shared.people.audit import audit
from shared.privacy.orders import erase_orders, lock_orders, order_and_export
from shared.privacy.rejections import erase_rejections

AT_ONCE = 100
AGAIN = "1 day"
SOON = "1 minute"
OVERLAP = "15 minutes"
"""A transaction that takes an event in may be seen so long after its beginning."""

ACTOR = "Connect"

_RETURNED = """
INSERT INTO privacy_later(class, ref)
SELECT DISTINCT 'orders', r.id FROM events e JOIN privacy_erased x ON x.record_id = e.record_id
    JOIN records r ON r.id = e.record_id
WHERE e.received_at >= %s::timestamptz - %s::interval AND r.payload_no > x.payload_no
ON CONFLICT DO NOTHING RETURNING ref
"""

_AHEAD = {
    "orders": "SELECT id, received_at < now() - make_interval(days => %s), flow <> 'stock' FROM records WHERE id > %s"
    " ORDER BY id LIMIT %s",
    "rejections": "SELECT id, received_at < now() - make_interval(days => %s), true FROM rejections WHERE id > %s"
    " ORDER BY id LIMIT %s",
}
"""Of each class what comes next: its id, whether it is old enough, whether it is about a person at all."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Days that personal data stays; 0: for ever."""

    orders: int
    rejections: int
    audit: int


def retain(conn: Connection, keep: Keep, failpoint: Callable[[str], None]) -> int:
    """One slice of each class; how many rows went or were looked at. 0: there is nothing to do for a while."""
    done = _returned(conn) + _later(conn, keep, failpoint)
    if keep.orders:
        done += _walk(conn, "orders", keep.orders, lambda ids: _erase(conn, ids, failpoint), failpoint)
    if keep.rejections:
        done += _walk(conn, "rejections", keep.rejections, lambda ids: _refused(conn, ids, keep.rejections), failpoint)
    if keep.audit:
        row = conn.execute(
            "WITH f AS (SELECT forget_audit(%s, %s) AS gone) UPDATE privacy_walks SET total = total + f.gone,"
            " looked = now() FROM f WHERE class = 'audit' RETURNING f.gone",
            (keep.audit, AT_ONCE * 10),
        ).fetchone()
        done += row[0] if row else 0
    return done


def walks(conn: Connection) -> dict[str, int]:
    """By class, how many rows went by their age so far."""
    return dict(conn.execute("SELECT class, total FROM privacy_walks ORDER BY class").fetchall())


def _returned(conn: Connection) -> int:
    """Note orders whose data came back with a later event. Reads the inbox since the last look, by its time."""
    with conn.transaction():
        seen = conn.execute(
            "SELECT looked FROM privacy_walks WHERE class = 'returned' AND looked < now() - interval '10 seconds'"
            " FOR UPDATE SKIP LOCKED"
        ).fetchone()
        if seen is None:
            return 0
        # The inbox has no order but its time: without its index all of it would be read.
        conn.execute("SET LOCAL enable_seqscan = off")
        rows = conn.execute(_RETURNED.encode(), (seen[0], OVERLAP)).fetchall()
        conn.execute("UPDATE privacy_walks SET looked = now() WHERE class = 'returned'")
        if rows:
            audit(conn, ACTOR, "privacy.returned", {"count": len(rows), "records": sorted(row[0] for row in rows)[:50]})
    return len(rows)


def _later(conn: Connection, keep: Keep, failpoint: Callable[[str], None]) -> int:
    """What could not go when its turn was."""
    with conn.transaction():
        refs = _due(conn, "orders")
        gone = _erase(conn, refs, failpoint) if refs else 0
    with conn.transaction():
        refused = _due(conn, "rejections")
        return gone + (_refused(conn, refused, keep.rejections) if refused else 0)


def _due(conn: Connection, class_: str) -> list[int]:
    rows = conn.execute(
        "SELECT ref FROM privacy_later WHERE class = %s AND look_at <= now() ORDER BY look_at LIMIT %s"
        " FOR UPDATE SKIP LOCKED",
        (class_, AT_ONCE),
    ).fetchall()
    return [row[0] for row in rows]


def _walk(
    conn: Connection, class_: str, days: int, erase: Callable[[list[int]], int], failpoint: Callable[[str], None]
) -> int:
    """One slice of a class, as far as it is old enough; how many rows it passed. erase: says how many went."""
    with conn.transaction():
        at = _lock(conn, class_)
        if at is None:
            return 0
        rows = conn.execute(_AHEAD[class_].encode(), (days, at, AT_ONCE)).fetchall()
        old = list(takewhile(itemgetter(1), rows))
        if not old:
            return 0
        gone = erase([id_ for id_, _, concerned in old if concerned])
        _move(conn, class_, old[-1][0], gone)
        failpoint("privacy.retained")
    return len(old)


def _erase(conn: Connection, ids: list[int], failpoint: Callable[[str], None]) -> int:
    """Erase what is over, note the rest for later."""
    both = [one[0] for one in order_and_export(conn, ids)]
    free, _, _ = lock_orders(conn, both)
    told = erase_orders(conn, free) if free else {}
    failpoint("privacy.sliced")
    stays = [id_ for id_ in ids if id_ not in free]
    conn.execute(
        "INSERT INTO privacy_later(class, ref, look_at) SELECT 'orders', ref, now() + CASE WHEN EXISTS ("
        "   SELECT FROM privacy_erased x WHERE x.record_id = ref) THEN %s::interval ELSE %s::interval END"
        " FROM unnest(%s::int8[]) ref ON CONFLICT (class, ref) DO UPDATE SET look_at = excluded.look_at",
        (SOON, AGAIN, stays),
    )
    return told.get("records", 0)


def _refused(conn: Connection, ids: list[int], days: int) -> int:
    """Overwrite those that were resolved long ago; the others are somebody's work. In the caller's transaction."""
    over = [
        row[0]
        for row in conn.execute(
            "SELECT id FROM rejections WHERE id = ANY(%s) AND state <> 'open'"
            " AND resolved_at < now() - make_interval(days => %s) FOR UPDATE",
            (ids, days or 36_500),
        ).fetchall()
    ]
    gone = erase_rejections(conn, over, ACTOR) if over else 0
    conn.execute("DELETE FROM privacy_later WHERE class = 'rejections' AND ref = ANY(%s)", (over,))
    conn.execute(
        "INSERT INTO privacy_later(class, ref, look_at) SELECT 'rejections', unnest(%s::int8[]), now() + %s::interval"
        " ON CONFLICT (class, ref) DO UPDATE SET look_at = excluded.look_at",
        ([id_ for id_ in ids if id_ not in over], AGAIN),
    )
    return gone


def _lock(conn: Connection, class_: str) -> int | None:
    """Where the walk is; None while somebody else walks."""
    row = conn.execute(
        "SELECT position FROM privacy_walks WHERE class = %s FOR UPDATE SKIP LOCKED", (class_,)
    ).fetchone()
    return None if row is None else int(row[0])


def _move(conn: Connection, class_: str, to: int, gone: int) -> None:
    conn.execute(
        "UPDATE privacy_walks SET position = %s, total = total + %s, looked = now() WHERE class = %s",
        (to, gone, class_),
    )
