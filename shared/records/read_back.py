"""What marketplaces show of the articles, beside what they have accepted: confirmed, not shown yet, or drifted.

`shown_at` is when a look began, so that a quantity which was accepted meanwhile does not count as seen.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.db.connect import Connection
from shared.records.lock_order import LOCK_ORDER
from shared.records.states import Verb, sources

DIFFERS = "a.sent IS NOT NULL AND a.shown_at >= a.sent_at AND a.shown IS DISTINCT FROM a.sent"
"""The marketplace shows something else than what it accepted last, as SQL over `articles a`."""


LOCK_SPACE = 0x53544F43


def alone(conn: Connection, interface: str) -> bool:
    """Whether no other process looks at this interface; as long as the connection is open."""
    lock = (LOCK_SPACE, zlib.crc32(interface.encode()) - 2**31)
    return conn.execute("SELECT pg_try_advisory_lock(%s, %s)", lock).fetchone() == (True,)


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """An article whose last accepted quantity nobody has seen yet."""

    record_id: int
    their_sku: str


def unconfirmed(conn: Connection, interface: str, older_than: float, limit: int = 20_000) -> list[Unconfirmed]:
    """What was accepted longer ago than so many seconds and not read back since; what is to be sent again waits."""
    rows = conn.execute(
        "SELECT a.record_id, coalesce(a.foreign_sku, a.sku) FROM articles a JOIN records r ON r.id = a.record_id"
        " WHERE a.interface = %s AND a.sent_at > coalesce(a.shown_at, '-infinity')"
        " AND a.sent_at <= now() - make_interval(secs => %s) AND r.due_at IS NULL ORDER BY a.sent_at LIMIT %s",
        (interface, older_than, limit),
    )
    return [Unconfirmed(*row) for row in rows]


def articles_sent(conn: Connection, interface: str) -> int:
    """How many articles the marketplace has a quantity of, as far as we know."""
    row = conn.execute(
        "SELECT count(*) FROM articles WHERE interface = %s AND (sent_at IS NOT NULL OR shown_at IS NOT NULL)",
        (interface,),
    ).fetchone()
    assert row is not None
    return int(row[0])


def database_now(conn: Connection) -> datetime:
    """The database's clock."""
    row = conn.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


def store_shown(conn: Connection, shown: Mapping[int, int | None], at: datetime) -> list[int]:
    """Store what a look that began `at` saw, by record; None: it shows nothing. Returns those that differ.

    Those differ whose accepted quantity is older than the look, and for which nothing newer is on its way.
    """
    rows = conn.execute(
        "WITH l AS (SELECT record_id FROM articles WHERE record_id = ANY(%(ids)s) ORDER BY 1 FOR NO KEY UPDATE)"
        " UPDATE articles a SET shown = s.quantity, shown_at = %(at)s,"
        "   unapplied = CASE WHEN a.sent IS NOT DISTINCT FROM s.quantity THEN 0 ELSE a.unapplied END"
        " FROM l, unnest(%(ids)s::int8[], %(quantities)s::int8[]) AS s(id, quantity), records r"
        " WHERE a.record_id = l.record_id AND s.id = l.record_id AND r.id = l.record_id"
        " AND coalesce(a.shown_at, '-infinity') < %(at)s"
        " RETURNING a.record_id, r.due_at IS NULL AND a.sent_at < %(at)s AND a.sent IS DISTINCT FROM s.quantity",
        {"at": at, "ids": list(shown), "quantities": list(shown.values())},
    )
    return [id_ for id_, differs in rows if differs]


def store_shown_skus(conn: Connection, interface: str, page: Mapping[str, int], at: datetime) -> int:
    """Store a page of what the marketplace shows, by its own number. Returns how many of them we list."""
    rows = conn.execute(
        "WITH l AS (SELECT a.record_id, s.quantity FROM articles a"
        "   JOIN unnest(%(skus)s::text[], %(quantities)s::int8[]) AS s(sku, quantity)"
        "   ON a.interface = %(interface)s AND coalesce(a.foreign_sku, a.sku) = s.sku"
        "   ORDER BY a.record_id FOR NO KEY UPDATE OF a)"
        " UPDATE articles a SET shown = l.quantity, shown_at = %(at)s,"
        "   unapplied = CASE WHEN a.sent = l.quantity THEN 0 ELSE a.unapplied END"
        " FROM l WHERE a.record_id = l.record_id AND coalesce(a.shown_at, '-infinity') < %(at)s RETURNING 1",
        {"at": at, "interface": interface, "skus": list(page), "quantities": list(page.values())},
    ).fetchall()
    return len(rows)


def store_unseen(conn: Connection, interface: str, began: datetime) -> int:
    """A look at everything that began then did not come by these: the marketplace shows none. Returns how many."""
    rows = conn.execute(
        "WITH l AS (SELECT record_id FROM articles WHERE interface = %(interface)s AND sent IS NOT NULL"
        "   AND sent_at < %(began)s AND coalesce(shown_at, '-infinity') < %(began)s ORDER BY 1 FOR NO KEY UPDATE)"
        " UPDATE articles a SET shown = NULL, shown_at = %(began)s FROM l WHERE a.record_id = l.record_id RETURNING 1",
        {"began": began, "interface": interface},
    ).fetchall()
    return len(rows)


def count_drift(conn: Connection, interface: str) -> int:
    """How many articles the marketplace shows another quantity of than it has accepted."""
    row = conn.execute(
        f"SELECT count(*) FROM articles a WHERE a.interface = %s AND {DIFFERS}",  # noqa: S608  # ours
        (interface,),
    ).fetchone()
    assert row is not None
    return int(row[0])


MOST_UNAPPLIED = 3
"""So often something may be accepted and not shown; then its record fails instead of being sent once more."""


def send_again(conn: Connection, ids: Sequence[int]) -> int:
    """What was accepted does not show: these are due once more. Returns how many; what is on its way is left alone."""
    with conn.transaction():
        rows = conn.execute(
            "WITH o AS (SELECT id, state FROM records r"  # noqa: S608 - our own text
            "   WHERE id = ANY(%(ids)s) AND due_at IS NULL AND payload_no > 0"
            f"   {LOCK_ORDER} FOR UPDATE),"
            " u AS (UPDATE records r SET state = 'pending', due_at = now(), seq = r.seq + 1, updated_at = now()"
            "   FROM o WHERE r.id = o.id AND o.state = ANY(%(from)s) RETURNING r.id, r.seq, r.stage, o.state AS was),"
            " t AS (INSERT INTO transitions(record_id, seq, stage, from_state, to_state, code)"
            "   SELECT id, seq, stage, was, 'pending', 'quantity-not-shown' FROM u)"
            " UPDATE articles a SET unapplied = a.unapplied + 1, insist = a.insist OR a.unapplied + 1 < %(most)s"
            " FROM u WHERE a.record_id = u.id"
            " RETURNING a.record_id",
            {"ids": list(ids), "from": sources(Verb.VERIFY), "most": MOST_UNAPPLIED},
        ).fetchall()
    return len(rows)
