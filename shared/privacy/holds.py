"""Legal holds: an order whose data must stay although somebody asks for its erasure, or its time is over."""

from __future__ import annotations

from typing import Any

from psycopg.rows import dict_row

from shared.db.connect import Connection
from shared.errors.problem import storable
from shared.people.audit import audit
from shared.privacy.deed import because
from shared.records.lock_order import LOCK_ORDER


def hold(conn: Connection, interface: str, number: str, actor: str, reason: str) -> bool:
    """Hold an order with its export; False where there is none of this number. Raises ReasonMissing."""
    said, order = because(reason), (storable(interface), storable(number))
    with conn.transaction():
        known = conn.execute(
            "SELECT FROM records r WHERE interface = %s AND key = %s"
            f" AND flow = ANY('{{order-import,order-export}}') {LOCK_ORDER} FOR UPDATE",
            order,
        ).fetchall()
        if not known:
            return False
        conn.execute(
            "INSERT INTO privacy_holds(interface, key, reason, held_by) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (interface, key) DO UPDATE SET reason = excluded.reason, held_by = excluded.held_by,"
            " held_at = now()",
            (*order, said, actor),
        )
        audit(conn, actor, "privacy.hold", {"interface": interface, "number": number}, said)
    return True


def release(conn: Connection, interface: str, number: str, actor: str, reason: str) -> bool:
    """End it; False where there is none. The order is looked at again soon. Raises ReasonMissing."""
    said = because(reason)
    with conn.transaction():
        gone = conn.execute(
            "DELETE FROM privacy_holds WHERE interface = %s AND key = %s", (storable(interface), storable(number))
        ).rowcount
        if gone:
            audit(conn, actor, "privacy.release", {"interface": interface, "number": number}, said)
    return bool(gone)


def list_holds(conn: Connection, limit: int = 1_000) -> list[dict[str, Any]]:
    """`{interface, number, reason, held_by, held_at}`, the newest first."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT interface, key AS number, reason, held_by, held_at FROM privacy_holds"
            " ORDER BY held_at DESC, interface, key LIMIT %s",
            (limit,),
        ).fetchall()
