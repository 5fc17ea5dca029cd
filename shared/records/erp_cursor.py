"""How far the poll of an ERP's changes has come. Due, watermark, what became of the last one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from shared.db.connect import Connection


class Begin(NamedTuple):
    """Where a poll begins: the watermark (None: never polled) and the database's time now."""

    watermark: datetime | None
    now: datetime


def erps_to_poll(conn: Connection, every: float, again: float) -> list[str]:
    """Interfaces whose exports are live and whose ERP was polled `every` seconds ago, `again` after a failure."""
    rows = conn.execute(
        "SELECT i.slug FROM interfaces i JOIN side_states s ON s.interface = i.slug AND s.side = 'erp'"
        " JOIN flow_modes m ON m.interface = i.slug AND m.flow = 'order-export'"
        " LEFT JOIN erp_cursors c ON c.interface = i.slug"
        " WHERE m.mode = 'live' AND s.breaker = 'closed' AND (c.polled_at IS NULL OR c.polled_at"
        "   + make_interval(secs => CASE WHEN c.code IS NULL THEN %s ELSE %s END) <= now()) ORDER BY i.slug",
        (every, min(every, again)),
    )
    return [slug for (slug,) in rows]


def begin_poll(conn: Connection, interface: str) -> Begin:
    """What to begin with."""
    row = conn.execute(
        "SELECT (SELECT watermark FROM erp_cursors WHERE interface = %s), clock_timestamp()", (interface,)
    ).fetchone()
    assert row is not None
    return Begin(*row)


def note_poll(conn: Connection, interface: str, code: str | None, watermark: datetime | None) -> None:
    """What became of a poll; a watermark where it came to its end."""
    conn.execute(
        "INSERT INTO erp_cursors(interface, watermark, polled_at, ok_at, code) VALUES (%(slug)s, %(watermark)s, now(),"
        " CASE WHEN %(code)s::text IS NULL THEN now() END, %(code)s) ON CONFLICT (interface) DO UPDATE"
        " SET watermark = greatest(erp_cursors.watermark, excluded.watermark), polled_at = now(),"
        " ok_at = coalesce(excluded.ok_at, erp_cursors.ok_at), code = excluded.code",
        {"slug": interface, "code": code, "watermark": watermark},
    )


def taken_in(conn: Connection, hashes: Sequence[UUID]) -> set[UUID]:
    """Which of these events have come in before, to whatever end."""
    rows = conn.execute(
        "SELECT hash FROM events WHERE hash = ANY(%(hashes)s::uuid[])"
        " UNION SELECT hash FROM rejections WHERE hash = ANY(%(hashes)s::uuid[])",
        {"hashes": list(hashes)},
    )
    return {hash_ for (hash_,) in rows}


def known_orders(conn: Connection, interface: str, numbers: Sequence[str]) -> dict[str, tuple[str | None, str | None]]:
    """Of orders that were imported: marketplace id and the ERP's number, by order number."""
    rows = conn.execute(
        "SELECT key, marketplace_id, remote FROM records"
        " WHERE interface = %s AND flow = 'order-import' AND key = ANY(%s::text[])",
        (interface, list(numbers)),
    )
    return {key: (marketplace_id, remote) for key, marketplace_id, remote in rows}
