"""Keys: what has to come true before a record can go on, e.g. `sku:ABC-1`. Scoped by interface.

Whoever learns that one came true calls `raise_key` in the transaction that also stores the fact. A settle locks its
keys first and compares: a raise that the claim's snapshot could not see means the handler may have looked too early, so
the record goes back to pending. Nothing falls between.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from shared.db.connect import Connection
from shared.records.states import Verb, sources

FOLLOW_SECONDS = 10.0  # the first blocked record tries alone, the rest follow once it settles, at the latest then
PROBE_SECONDS = 30.0
PROBE_MOST_SECONDS = 3600.0


def raise_key(conn: Connection, interface: str, key: str) -> int:
    """The key came true: what it blocks is due, the oldest first, the rest a little later. Returns how many.

    Runs inside the caller's transaction, together with the fact.
    """
    conn.execute(
        "INSERT INTO keys(interface, key, raised, raised_xid, raised_at, following)"
        " VALUES (%s, %s, 1, pg_current_xact_id(), clock_timestamp(), true) ON CONFLICT (interface, key) DO UPDATE"
        " SET raised = keys.raised + 1, raised_xid = pg_current_xact_id(), raised_at = clock_timestamp(), probes = 0,"
        "   following = true",
        (interface, key),
    )
    rows = conn.execute(
        "WITH b AS (SELECT r.id, r.state AS was, row_number() OVER (ORDER BY r.due_at NULLS LAST, r.id) AS n"
        "   FROM blocks JOIN records r ON r.id = record_id"
        "   WHERE blocks.interface = %(interface)s AND blocks.key = %(key)s AND r.state = ANY(%(from)s)),"
        " u AS (UPDATE records r SET state = 'pending', seq = seq + 1, updated_at = now(), tries = 0,"
        "   due_at = now() + make_interval(secs => CASE WHEN b.n = 1 THEN 0 ELSE %(follow)s END)"
        "   FROM b WHERE r.id = b.id AND r.state = ANY(%(from)s) RETURNING r.id, r.seq, r.stage, b.was)"
        " INSERT INTO transitions(record_id, seq, stage, from_state, to_state, code, reason)"
        " SELECT id, seq, stage, was, 'pending', 'key-came-true',"
        "   jsonb_build_array(jsonb_build_object('code', 'key-came-true', 'field', '',"
        "   'values', jsonb_build_object('key', %(key)s::text))) FROM u RETURNING 1",
        {"interface": interface, "key": key, "from": sources(Verb.RAISE), "follow": FOLLOW_SECONDS},
    ).fetchall()
    # A newer copy that came while a worker held the record sent it back to pending, with its blocks and its long wait.
    conn.execute(
        "UPDATE records r SET due_at = now() + make_interval(secs => %(follow)s) FROM blocks b"
        " WHERE b.interface = %(interface)s AND b.key = %(key)s AND r.id = b.record_id AND r.state = 'pending'"
        " AND r.due_at > now() + make_interval(secs => %(follow)s)",
        {"interface": interface, "key": key, "follow": FOLLOW_SECONDS},
    )
    return len(rows)


def raise_told(conn: Connection, places: Sequence[tuple[str, str]]) -> int:
    """These (interface, key) came true; those that block something are raised. Returns how many records are due.

    The fact is stored already: what begins to wait at the same moment is found by the probe, which looks at the fact.
    """
    blocking = conn.execute(
        "SELECT DISTINCT b.interface, b.key FROM unnest(%s::text[], %s::text[]) AS t(i, k)"
        " JOIN blocks b ON b.interface = t.i AND b.key = t.k ORDER BY 1, 2",
        ([interface for interface, _ in places], [key for _, key in places]),
    ).fetchall()
    due = 0
    for interface, key in blocking:
        with conn.transaction():
            due += raise_key(conn, interface, key)
    return due


def lock_keys(conn: Connection, wanted: Collection[tuple[str, str]], snapshot: str) -> set[tuple[str, str]]:
    """Lock (interface, key) rows in sorted order; returns those raised since the snapshot was taken."""
    ordered = sorted(wanted)
    rows = conn.execute(
        "INSERT INTO keys(interface, key, probe_at)"
        " SELECT i, k, now() + make_interval(secs => %s) FROM unnest(%s::text[], %s::text[]) AS w(i, k) ORDER BY i, k"
        " ON CONFLICT (interface, key) DO UPDATE SET raised = keys.raised"
        " RETURNING interface, key, raised_xid::text,"
        "   raised_xid IS NOT NULL AND NOT pg_visible_in_snapshot(raised_xid, %s::pg_snapshot)",
        (PROBE_SECONDS, [i for i, _ in ordered], [k for _, k in ordered], snapshot),
    ).fetchall()
    raised = {(interface, key): int(xid) for interface, key, xid, newer in rows if newer}
    if not raised:
        return set()
    # A dump restored elsewhere brings ids of transactions that have not happened there yet: old raises, not new ones.
    row = conn.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text").fetchone()
    assert row is not None
    return {place for place, xid in raised.items() if xid < int(row[0])}


def block(conn: Connection, rows: Sequence[tuple[str, str, int]], unblocked: Sequence[int]) -> None:
    """Replace the blocks of settled records: (interface, key, record). What a record no longer waits for is free.

    unblocked: every record that was settled, with keys or without. Others that wait for a key which one of them had and
    has not any more follow at once.
    """
    before = conn.execute(
        "DELETE FROM blocks WHERE record_id = ANY(%s) RETURNING interface, key, record_id", (list(unblocked),)
    ).fetchall()
    if rows:
        conn.execute(
            "INSERT INTO blocks(interface, key, record_id) SELECT * FROM unnest(%s::text[], %s::text[], %s::int8[])"
            " ON CONFLICT DO NOTHING",
            ([i for i, _, _ in rows], [k for _, k, _ in rows], [r for _, _, r in rows]),
        )
    again = set(rows)
    free = sorted({(i, k) for i, k, r in before if (i, k, r) not in again})
    if free:
        conn.execute(
            "WITH f AS (UPDATE keys SET following = false FROM unnest(%s::text[], %s::text[]) AS f(i, k)"
            "   WHERE interface = f.i AND key = f.k AND following RETURNING interface, key)"
            " UPDATE records r SET due_at = now() FROM blocks b, f WHERE b.interface = f.interface AND b.key = f.key"
            " AND r.id = b.record_id AND r.state = 'pending' AND r.due_at > now()",
            ([i for i, _ in free], [k for _, k in free]),
        )


def keys_to_probe(conn: Connection, interface: str, prefix: str, limit: int = 200) -> list[str]:
    """Remote keys with this prefix that block something and are due for a look; each look makes the next one later.

    Another process's look is skipped. Times are the database's.
    """
    rows = conn.execute(
        "WITH d AS (SELECT interface, key FROM keys k WHERE interface = %(interface)s"
        "   AND starts_with(key, %(prefix)s) AND probe_at <= now()"
        "   AND EXISTS (SELECT FROM blocks b WHERE b.interface = k.interface AND b.key = k.key)"
        "   ORDER BY probe_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)"
        " UPDATE keys k SET probes = least(k.probes + 1, 20),"
        "   probe_at = now() + make_interval(secs => least(%(most)s, %(each)s * (1 + k.probes / 10) ^ 2)) FROM d"
        " WHERE k.interface = d.interface AND k.key = d.key RETURNING k.key",
        {
            "interface": interface,
            "prefix": prefix,
            "limit": limit,
            "each": PROBE_SECONDS,
            "most": PROBE_MOST_SECONDS,
        },
    )
    return [row[0] for row in rows]
