"""Interfaces: one marketplace account and one ERP account, their mode, their sides, their mappings.

Written by the CLI, the Journal and the demo; read by the importer, which notices a change by `revision`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from shared.records import credentials
from shared.seal import Seal

MODES = ("test", "live", "paused")


@dataclass(frozen=True, slots=True)
class Side:
    """One account: plain settings, secrets (opened), and what the remote system allows."""

    settings: dict[str, Any]
    secrets: dict[str, Any]
    calls_per_second: float
    calls_at_once: int


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface as workers need it. mappings: kind → source → target. revision grows with every change.

    cancels: what the ERP cancels is cancelled at the marketplace.
    """

    slug: str
    title: str
    marketplace: str
    erp: str
    mode: str
    from_date: datetime | None
    poll_seconds: int
    reread_seconds: int
    revision: int
    sides: Mapping[str, Side]
    mappings: Mapping[str, Mapping[str, str]]
    cancels: bool = True


@dataclass(frozen=True, slots=True)
class NewSide:
    """What is needed to store a side: which settings are secret is the connector's knowledge, not ours."""

    settings: Mapping[str, Any]
    secrets: Mapping[str, str]
    calls_per_second: float
    calls_at_once: int = 8


def add_interface(
    conn: Connection,
    seal: Seal,
    *,
    slug: str,
    title: str,
    marketplace: str,
    erp: str,
    mode: str = "test",
    marketplace_side: NewSide,
    erp_side: NewSide,
    poll_seconds: int = 900,
    reread_seconds: int = 900,
) -> None:
    """Store a new interface. Raises psycopg.errors.UniqueViolation when the slug is taken."""
    with conn.transaction():
        conn.execute(
            "INSERT INTO interfaces(slug, title, marketplace, erp, mode, poll_seconds, reread_seconds)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (slug, title, marketplace, erp, mode, poll_seconds, reread_seconds),
        )
        for side, new in (("marketplace", marketplace_side), ("erp", erp_side)):
            save_side(conn, seal, slug, side, new)


def save_side(conn: Connection, seal: Seal, slug: str, side: str, new: NewSide) -> None:
    """Replace the settings of one side; the workers open it anew, and what waits for a setting runs again."""
    from shared.records.keys import raise_key  # as in save_mapping

    with conn.transaction():
        conn.execute(
            "INSERT INTO sides(interface, side, settings, calls_per_second, calls_at_once)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (interface, side) DO UPDATE SET settings = excluded.settings,"
            " calls_per_second = excluded.calls_per_second, calls_at_once = excluded.calls_at_once",
            (slug, side, Jsonb(dict(new.settings)), new.calls_per_second, new.calls_at_once),
        )
        credentials.save(conn, seal, slug, side, new.secrets)
        conn.execute("INSERT INTO side_states(interface, side) VALUES (%s, %s) ON CONFLICT DO NOTHING", (slug, side))
        touch(conn, slug)
        waited = "SELECT DISTINCT key FROM blocks WHERE interface = %s AND starts_with(key, 'setting:') ORDER BY key"
        for (key,) in conn.execute(waited, (slug,)).fetchall():
            raise_key(conn, slug, key)


def touch(conn: Connection, slug: str) -> None:
    """Make the workers read this interface again."""
    conn.execute("UPDATE interfaces SET revision = revision + 1, updated_at = now() WHERE slug = %s", (slug,))


def set_mode(conn: Connection, slug: str, mode: str) -> bool:
    """Switch to test, live or paused; False when there is no such interface."""
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}")
    row = conn.execute(
        "UPDATE interfaces SET mode = %s, revision = revision + 1, updated_at = now() WHERE slug = %s RETURNING slug",
        (mode, slug),
    ).fetchone()
    return row is not None


def save_frame(conn: Connection, slug: str, *, title: str, poll_seconds: int, reread_seconds: int) -> None:
    """What an interface says besides its sides and mappings; its mode has a way of its own."""
    conn.execute(
        "UPDATE interfaces SET title = %s, poll_seconds = %s, reread_seconds = %s WHERE slug = %s",
        (title, poll_seconds, reread_seconds, slug),
    )
    touch(conn, slug)


def set_cancels(conn: Connection, slug: str, cancels: bool) -> None:
    """Whether what the ERP cancels is cancelled at the marketplace."""
    conn.execute("UPDATE interfaces SET cancels = %s WHERE slug = %s", (cancels, slug))
    touch(conn, slug)


@dataclass(frozen=True, slots=True)
class Summary:
    """What the worker looks at each second: may it claim here, has something changed. flows: the mode of each."""

    slug: str
    mode: str
    revision: int
    breakers: Mapping[str, str]
    flows: Mapping[str, str] = field(default_factory=dict)


def summaries(conn: Connection) -> list[Summary]:
    """One row per interface, cheap."""
    rows = conn.execute(
        "SELECT i.slug, i.mode, i.revision, coalesce(jsonb_object_agg(s.side, s.breaker)"
        " FILTER (WHERE s.side IS NOT NULL), '{}'),"
        " (SELECT jsonb_object_agg(m.flow, m.mode) FROM flow_modes m WHERE m.interface = i.slug)"
        " FROM interfaces i LEFT JOIN side_states s ON s.interface = i.slug"
        " GROUP BY i.slug ORDER BY i.slug"
    ).fetchall()
    return [Summary(*row) for row in rows]


def read(conn: Connection, seal: Seal, slug: str) -> Interface | None:
    """One interface whole, in one snapshot. Raises SealError when its secrets cannot be opened."""
    row = conn.execute(
        "SELECT slug, title, marketplace, erp, mode, from_date, poll_seconds, reread_seconds, revision, cancels,"
        " (SELECT jsonb_agg(jsonb_build_object('side', side, 'settings', settings, 'sealed', encode(sealed, 'hex'),"
        "   'rate', calls_per_second, 'at_once', calls_at_once, 'secrets', (SELECT coalesce(jsonb_object_agg(name,"
        "   encode(c.sealed, 'hex')), '{}') FROM credentials c WHERE c.interface = slug AND c.side = s.side)))"
        "   FROM sides s WHERE interface = slug),"
        " (SELECT jsonb_agg(jsonb_build_array(kind, source, target)) FROM mappings WHERE interface = slug)"
        " FROM interfaces WHERE slug = %s",
        (slug,),
    ).fetchone()
    if row is None:
        return None
    sides, mappings = row[10], row[11]
    opened = {
        side["side"]: Side(
            side["settings"],
            credentials.opened(
                seal,
                slug,
                side["side"],
                bytes.fromhex(side["sealed"]) if side["sealed"] else None,
                {name: bytes.fromhex(text) for name, text in side["secrets"].items()},
            ),
            side["rate"],
            side["at_once"],
        )
        for side in sides or []
    }
    slug_, title, marketplace, erp, mode, from_date, poll, reread, revision, cancels = row[:10]
    return Interface(
        slug_, title, marketplace, erp, mode, from_date, poll, reread, revision, opened, _table(mappings or []), cancels
    )


def _table(rows: Iterable[tuple[str, str, str]]) -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = {}
    for kind, source, target in rows:
        table.setdefault(kind, {})[source] = target
    return table


def save_mapping(conn: Connection, slug: str, kind: str, source: str, target: str, actor: str | None = None) -> int:
    """Save one mapping and set what waited for it due: fact and key are raised in one transaction. Returns how many."""
    from shared.records.keys import raise_key  # keys raise for mappings, mappings are one of many facts

    with conn.transaction():
        conn.execute(
            "INSERT INTO mappings(interface, kind, source, target, updated_by) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (interface, kind, source) DO UPDATE SET target = excluded.target, updated_at = now(),"
            " updated_by = excluded.updated_by",
            (slug, kind, source, target, actor),
        )
        touch(conn, slug)
        return sum(raise_key(conn, slug, f"{kind}:{spelling}") for spelling in spellings(conn, slug, kind, source))


def remove_mapping(conn: Connection, slug: str, kind: str, source: str) -> bool:
    """Remove one mapping; what is mapped by it already stays as it is. False where there was none."""
    with conn.transaction():
        gone = conn.execute(
            "DELETE FROM mappings WHERE interface = %s AND kind = %s AND source = %s", (slug, kind, source)
        ).rowcount
        if gone:
            touch(conn, slug)
    return bool(gone)


def spellings(conn: Connection, slug: str, kind: str, source: str) -> list[str]:
    """The source as it was saved, and as records wait for it: a tax of "7" is the one of "7.0"."""
    rows = conn.execute(
        "SELECT DISTINCT substr(key, length(%(kind)s) + 2) FROM blocks"
        " WHERE interface = %(slug)s AND starts_with(key, %(kind)s || ':')",
        {"slug": slug, "kind": kind},
    ).fetchall()
    return sorted({source, *(waited for (waited,) in rows if _same_number(waited, source))})


def _same_number(one: str, other: str) -> bool:
    try:
        return Decimal(one) == Decimal(other)
    except InvalidOperation:
        return False


def as_json(settings: Mapping[str, Any]) -> str:
    """Plain settings as text, for the CLI."""
    return json.dumps(dict(settings), ensure_ascii=False, sort_keys=True)


def modes(conn: Connection) -> dict[str, str]:
    """The mode of every interface, by name."""
    return dict(conn.execute("SELECT slug, mode FROM interfaces").fetchall())
