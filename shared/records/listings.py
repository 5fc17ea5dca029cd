"""Which of the ERP's articles an interface lists: the filter they are read by, and when that was done last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from shared.errors.problem import storable

NIGHT_HOUR = 2
"""When a night's refresh begins, in the installation's time zone."""


def read_filter(conn: Connection, interface: str) -> dict[str, Any]:
    """The filter: `skus`, `foreign_skus`, `name`, `kind`, `parent_sku`; empty: every article of the ERP."""
    row = conn.execute("SELECT filter FROM listings WHERE interface = %s", (interface,)).fetchone()
    return dict(row[0]) if row else {}


def read_listing(conn: Connection, interface: str) -> dict[str, Any]:
    """How the listing stands: `filter`, `refreshed_at`, `articles` (how many the ERP named then), `code` (why the last
    refresh did not go through)."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            "SELECT filter, refreshed_at, articles, code FROM listings WHERE interface = %s", (interface,)
        ).fetchone()
    return row or {"filter": {}, "refreshed_at": None, "articles": None, "code": None}


def listed_articles(
    conn: Connection, interface: str, search: str = "", *, after: str | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Articles of an interface by SKU, from behind `after`: record_id, sku, foreign_sku, name, kind, parent_sku,
    listed_at (None: it came by an event, the ERP's listing has not had it), state.

    search: a part of SKU, foreign number or name, whatever its case.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT a.record_id, a.sku, a.foreign_sku, a.name, a.kind, a.parent_sku, a.listed_at, r.state"
            " FROM articles a JOIN records r ON r.id = a.record_id WHERE a.interface = %(interface)s"
            " AND (%(after)s::text IS NULL OR a.sku > %(after)s) AND (%(search)s = ''"
            "   OR strpos(lower(concat_ws(E'\\n', a.sku, a.foreign_sku, a.name)), lower(%(search)s)) > 0)"
            " ORDER BY a.sku LIMIT %(limit)s",
            {
                "interface": interface,
                "after": None if after is None else storable(after),
                "search": storable(search.strip()),
                "limit": limit,
            },
        ).fetchall()


def save_filter(conn: Connection, interface: str, values: Mapping[str, Any]) -> None:
    """Replace it; the next refresh goes by it."""
    conn.execute(
        "INSERT INTO listings(interface, filter) VALUES (%s, %s) ON CONFLICT (interface)"
        " DO UPDATE SET filter = excluded.filter",
        (interface, Jsonb(dict(values))),
    )


def note_refreshed(conn: Connection, interface: str, articles: int) -> None:
    """A refresh went through; so many articles are listed."""
    conn.execute(
        "INSERT INTO listings(interface, refreshed_at, articles) VALUES (%s, now(), %s) ON CONFLICT (interface)"
        " DO UPDATE SET refreshed_at = now(), articles = excluded.articles, code = NULL",
        (interface, articles),
    )


def note_refused(conn: Connection, interface: str, code: str) -> None:
    """A refresh did not go through, and why; what was listed before stands."""
    conn.execute(
        "INSERT INTO listings(interface, code) VALUES (%s, %s) ON CONFLICT (interface)"
        " DO UPDATE SET code = excluded.code",
        (interface, code),
    )


_NIGHTLY = """
WITH night AS (SELECT (date_trunc('day', now() AT TIME ZONE %(zone)s - make_interval(hours => %(hour)s))
                       + make_interval(hours => %(hour)s)) AT TIME ZONE %(zone)s AS began)
INSERT INTO errands(verb, interface, created_by)
SELECT 'listing', i.slug, 'night' FROM night n, interfaces i
JOIN flow_modes m ON m.interface = i.slug AND m.flow = 'stock'
WHERE m.mode <> 'paused' AND NOT EXISTS (
  SELECT FROM errands e WHERE e.interface = i.slug AND e.verb = 'listing'
  AND (e.finished_at IS NULL
       OR e.created_at >= greatest(n.began, CASE WHEN e.code IS NULL THEN '-infinity' ELSE i.updated_at END)))
ON CONFLICT (interface, verb) WHERE finished_at IS NULL DO NOTHING RETURNING interface
"""


def ask_nightly(conn: Connection, zone: str) -> list[str]:
    """Ask for the refresh of every listing that has had none since the last night began, in the installation's zone.

    So a new interface is listed at once, and one whose refresh failed again when its settings have changed.
    """
    return [row[0] for row in conn.execute(_NIGHTLY, {"zone": zone, "hour": NIGHT_HOUR})]
