"""The rolling look through the articles that an interface lists: which come next, and how far it has come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from shared.db.connect import Connection


class Listed(NamedTuple):
    """An article that is listed. data_hash: of the newest event that was taken in for it."""

    sku: str
    kind: str
    parent_sku: str | None
    data_hash: UUID | None


class Turn(NamedTuple):
    """seconds since it was last there (None: never), how many articles there are to look at, and where it ended."""

    seconds: float | None
    articles: int
    after: str | None


def to_look_at(conn: Connection, seconds: float) -> list[str]:
    """Live interfaces with a listing whose rolling look was last there `seconds` ago and whose ERP is not spared."""
    rows = conn.execute(
        "SELECT i.slug FROM interfaces i JOIN listings l ON l.interface = i.slug"
        " JOIN flow_modes m ON m.interface = i.slug AND m.flow = 'stock'"
        " JOIN side_states s ON s.interface = i.slug AND s.side = 'erp' WHERE m.mode = 'live' AND s.breaker = 'closed'"
        " AND (l.looked_at IS NULL OR l.looked_at + make_interval(secs => %s) <= now()) ORDER BY i.slug",
        (seconds,),
    )
    return [slug for (slug,) in rows]


def turn_of(conn: Connection, interface: str) -> Turn | None:
    """How things stand; None without a listing."""
    row = conn.execute(
        "SELECT extract(epoch FROM clock_timestamp() - looked_at)::float8, looked_sku, (SELECT count(*) FROM articles a"
        "  WHERE a.interface = l.interface AND kind <> 'parent') FROM listings l WHERE interface = %s",
        (interface,),
    ).fetchone()
    return None if row is None else Turn(row[0], row[2], row[1])


def next_listed(conn: Connection, interface: str, after: str | None, most: int) -> list[Listed]:
    """The articles behind a SKU, in their order. Parents have no quantity of their own."""
    rows = conn.execute(
        "SELECT a.sku, a.kind, a.parent_sku, r.data_hash FROM articles a LEFT JOIN records r ON r.id = a.record_id"
        " WHERE a.interface = %s AND a.kind <> 'parent' AND (%s::text IS NULL OR a.sku > %s) ORDER BY a.sku LIMIT %s",
        (interface, after, after, most),
    ).fetchall()
    return [Listed(*row) for row in rows]


def looked_until(conn: Connection, interface: str, sku: str | None) -> None:
    """It has come to this SKU; None: begin anew."""
    conn.execute("UPDATE listings SET looked_at = now(), looked_sku = %s WHERE interface = %s", (sku, interface))


def listed_among(conn: Connection, interface: str, skus: Sequence[str]) -> set[str]:
    """Which of these SKUs the interface lists."""
    rows = conn.execute(
        "SELECT key FROM records WHERE interface = %s AND flow = 'stock' AND key = ANY(%s::text[])",
        (interface, list(skus)),
    )
    return {sku for (sku,) in rows}


def listing_filter(conn: Connection, interface: str) -> dict[str, Any] | None:
    """Which articles of the ERP belong to the listing; None where there is none."""
    row = conn.execute("SELECT filter FROM listings WHERE interface = %s", (interface,)).fetchone()
    return None if row is None else dict(row[0])
