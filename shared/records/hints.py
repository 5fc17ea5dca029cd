"""Hints: what an ERP said has changed, by its own id, until somebody has looked. One row however often it says so.

A hint is due a short while after it was first seen: an ERP tells a change in several calls, and one look answers all
of them. Whoever looks takes it for a while by moving `due_at`; a crash only means that somebody looks again. `no` says
how often it was seen and fences the removal: what was told while somebody looked is looked at once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from shared.db.connect import Connection

GATHER_SECONDS = 1.0
"""From the first sight of a hint until it is due."""

LEASE_SECONDS = 60.0
FIRST_DELAY = 5.0
LAST_DELAY = 900.0


class Mark(NamedTuple):
    """A hint in somebody's hands. kind: `order`, `delivery` or `article`; no: how often it had been seen by then."""

    kind: str
    id: str
    no: int


def store_hints(
    conn: Connection, interface: str, named: Sequence[tuple[str, str]], gather: float = GATHER_SECONDS
) -> None:
    """Store what (kind, id) pairs name. A hint that is there already counts once more and keeps its time."""
    ordered = sorted(set(named))  # two calls at the same moment must not lock in a ring
    conn.execute(
        "INSERT INTO hints(interface, kind, id, due_at)"
        " SELECT %s, k, i, now() + make_interval(secs => %s) FROM unnest(%s::text[], %s::text[]) AS w(k, i)"
        " ON CONFLICT (interface, kind, id) DO UPDATE SET no = hints.no + 1, seen_at = now()",
        (interface, gather, [kind for kind, _ in ordered], [id_ for _, id_ in ordered]),
    )


def hinted_interfaces(conn: Connection, kinds: Sequence[str]) -> list[str]:
    """Interfaces with a due hint of these kinds whose flow is live and whose ERP is not spared just now."""
    rows = conn.execute(
        "SELECT i.slug FROM interfaces i JOIN side_states s ON s.interface = i.slug AND s.side = 'erp'"
        " WHERE s.breaker = 'closed' AND EXISTS (SELECT FROM hints h JOIN flow_modes m ON m.interface = h.interface"
        "   AND m.flow = CASE WHEN h.kind = 'article' THEN 'stock' ELSE 'order-export' END AND m.mode = 'live'"
        "   WHERE h.interface = i.slug AND h.kind = ANY(%s::text[]) AND h.due_at <= now()) ORDER BY i.slug",
        (list(kinds),),
    )
    return [slug for (slug,) in rows]


def due_hints(conn: Connection, interface: str, kinds: Sequence[str]) -> bool:
    """Whether any hint of these kinds is due at an interface: what is less urgent waits."""
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM hints WHERE interface = %s AND kind = ANY(%s::text[]) AND due_at <= now())",
        (interface, list(kinds)),
    ).fetchone()
    return row == (True,)


def claim_hints(
    conn: Connection, interface: str, kinds: Sequence[str], most: int, lease: float = LEASE_SECONDS
) -> list[Mark]:
    """Take up to `most` due hints, the oldest first; nobody else takes them for `lease` seconds."""
    rows = conn.execute(
        "WITH d AS (SELECT kind, id FROM hints WHERE interface = %(slug)s AND kind = ANY(%(kinds)s::text[])"
        "   AND due_at <= now() ORDER BY due_at, kind, id LIMIT %(most)s FOR UPDATE SKIP LOCKED)"
        " UPDATE hints h SET due_at = now() + make_interval(secs => %(lease)s) FROM d"
        " WHERE h.interface = %(slug)s AND h.kind = d.kind AND h.id = d.id RETURNING h.kind, h.id, h.no",
        {"slug": interface, "kinds": list(kinds), "most": most, "lease": lease},
    ).fetchall()
    return sorted(Mark(*row) for row in rows)


_LOCKED = """
WITH w AS (SELECT * FROM unnest(%(kinds)s::text[], %(ids)s::text[], %(nos)s::int[]) AS w(kind, id, no)),
l AS MATERIALIZED (
  SELECT h.kind, h.id, h.no = w.no AS same FROM hints h JOIN w ON w.kind = h.kind AND w.id = h.id
  WHERE h.interface = %(slug)s ORDER BY h.kind, h.id FOR UPDATE OF h)
"""
"""In the order in which they are stored, so that nobody waits in a ring."""

_REMOVE = """
, gone AS (DELETE FROM hints h USING l WHERE h.interface = %(slug)s AND h.kind = l.kind AND h.id = l.id AND l.same)
UPDATE hints h SET due_at = now() + make_interval(secs => %(gather)s), tries = 0, code = NULL
FROM l WHERE h.interface = %(slug)s AND h.kind = l.kind AND h.id = l.id AND NOT l.same
"""
_PUT_BACK = """
UPDATE hints h SET code = %(code)s, tries = least(h.tries + 1, 1000)::smallint, due_at = now()
  + make_interval(secs => greatest(%(after)s, least(%(last)s, %(first)s * 2 ^ least(h.tries, 20))))
FROM l WHERE h.interface = %(slug)s AND h.kind = l.kind AND h.id = l.id
"""


def remove_hints(conn: Connection, interface: str, looked: Sequence[Mark], gather: float = GATHER_SECONDS) -> None:
    """Somebody looked, and what came of it is safe. A hint that was seen again meanwhile is due once more."""
    conn.execute(_LOCKED + _REMOVE, {**_columns(interface, looked), "gather": gather})


def put_back(conn: Connection, interface: str, marks: Sequence[Mark], code: str, after: float = 0.0) -> None:
    """Looking failed for this reason: again later, each time twice as late, at the earliest after `after` seconds."""
    delays = {"after": after, "first": FIRST_DELAY, "last": LAST_DELAY}
    conn.execute(_LOCKED + _PUT_BACK, {**_columns(interface, marks), **delays, "code": code})


def _columns(interface: str, marks: Sequence[Mark]) -> dict[str, object]:
    return {
        "slug": interface,
        "kinds": [mark.kind for mark in marks],
        "ids": [mark.id for mark in marks],
        "nos": [mark.no for mark in marks],
    }


def waiting_hints(conn: Connection) -> list[tuple[str, str, int]]:
    """(interface, kind, how many) of what nobody has looked at yet, for the metrics; those of a flow in test count as
    little as its records."""
    return conn.execute(
        "SELECT h.interface, h.kind, count(*) FROM hints h JOIN flow_modes m ON m.interface = h.interface"
        " AND m.flow = CASE WHEN h.kind = 'article' THEN 'stock' ELSE 'order-export' END AND m.mode <> 'test'"
        " GROUP BY h.interface, h.kind"
    ).fetchall()
