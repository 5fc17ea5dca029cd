"""Fills a database with what shop staff look at after a year: orders, exports, articles, and their histories.

The server makes the rows itself, piece by piece, into tables without indexes and triggers, which are put back behind
it: ten million records and sixty million transitions take minutes. The words of the index of texts are written along,
and a sample is compared with what the indexer would have written. Called by `journal`.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.journal_rows import INTERFACES, OF_ARTICLES, OF_ORDERS
from shared.db.connect import Connection
from shared.records.indexed import WORDS
from shared.records.search import SEARCHED

PIECE = 200_000
ORDERS, ARTICLES = 0.475, 0.05  # shares of the records; every order has an export
_FILLED = ("records", "payloads", "parts", "shipments", "transitions", "attempts", "search_texts", "articles")

Say = Callable[[str, float], None]
"""What is done, and how far of it: 0 to 1."""


def fill(conn: Connection, records: int, say: Say) -> None:
    """Fill an empty, migrated database. Raises AssertionError where the texts are not what the indexer writes."""
    orders, articles = int(records * ORDERS), int(records * ARTICLES)
    conn.execute("SET statement_timeout = 0")
    conn.execute("SET transaction_timeout = 0")
    conn.execute("SET maintenance_work_mem = '512MB'")
    conn.execute("SET synchronous_commit = off")
    for slug in INTERFACES:
        conn.execute(
            "INSERT INTO interfaces(slug, title, marketplace, erp, mode) VALUES (%s, %s, 'none', 'none', 'live')"
            " ON CONFLICT DO NOTHING",
            (slug, slug),
        )
    _make_months(conn)
    indexes = _drop_indexes(conn)
    for table in ("records", "shipments", "articles"):
        conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
    pieces = [(statements, count, first) for statements, count in ((OF_ORDERS, orders), (OF_ARTICLES, articles))
              for first in range(1, count + 1, PIECE)]  # fmt: skip
    done, steps = 0, sum(len(statements) for statements, _, _ in pieces) + len(indexes) + 2
    for statements, count, first in pieces:
        for statement in statements:
            last = min(first + PIECE - 1, count)
            for name, value in (("first", first), ("last", last), ("orders", orders)):
                statement = statement.replace(f"%({name})s", str(value))
            conn.execute(statement.encode())
            done += 1
            say(f"{'orders and exports' if statements is OF_ORDERS else 'articles'} {last:,}/{count:,}", done / steps)
    for name, definition in indexes:
        conn.execute(definition.encode())
        done += 1
        say(f"index {name}", done / steps)
    for table in ("records", "shipments", "articles"):
        conn.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER".encode())
    conn.execute("SELECT setval('records_id_seq', (SELECT max(id) FROM records))")
    for table in _FILLED:
        conn.execute(f"VACUUM (ANALYZE) {table}".encode())
    say("statistics", (done + 1) / steps)
    if wrong := _differing(conn):
        raise AssertionError(f"the texts of records {wrong} are not what the indexer would write")
    say("compared with the indexer", 1.0)


def _make_months(conn: Connection) -> None:
    """Transitions have a table a month; an installation makes them ahead, and these lie behind."""
    for back in range(14):
        row = conn.execute(
            "SELECT to_char(m, 'YYYY_MM'), m::date::text, (m + interval '1 month')::date::text"
            " FROM (SELECT date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => %s) AS m) m",
            (back,),
        ).fetchone()
        assert row is not None
        conn.execute(
            f"CREATE TABLE IF NOT EXISTS transitions_{row[0]} PARTITION OF transitions"
            f" FOR VALUES FROM ('{row[1]} 00:00:00+00') TO ('{row[2]} 00:00:00+00')".encode()
        )


def _drop_indexes(conn: Connection) -> list[tuple[str, str]]:
    """Takes away all but those of constraints; returns (name, definition)."""
    rows = conn.execute(
        "SELECT c.relname, pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE i.indrelid = ANY(%s::text[]::regclass[])"
        " AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid) ORDER BY 1",
        (list(_FILLED),),
    ).fetchall()
    kept = [(name, definition) for name, definition in rows if not name.startswith("transitions")]
    for name, _ in kept:
        conn.execute(f"DROP INDEX {name}".encode())
    return kept


def _differing(conn: Connection) -> list[int]:
    rows = conn.execute(
        f"SELECT r.id FROM (SELECT r.id, {SEARCHED} AS text FROM records r WHERE r.id IN (SELECT (random() * m)::int8"
        f" FROM (SELECT max(id) AS m FROM records) m, generate_series(1, 300)) OFFSET 0) r"
        f" JOIN search_texts t ON t.record_id = r.id WHERE t.words IS DISTINCT FROM ({WORDS})".encode()
    ).fetchall()
    return [row[0] for row in rows]
