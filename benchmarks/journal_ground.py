"""Fills a database with what shop staff look at after a year: orders, exports, articles, and their histories.

The server makes the rows itself, piece by piece, into tables without indexes and triggers, which are put back behind
it: ten million records and sixty million transitions take minutes. The words of the index of texts are written along,
and a sample is compared with what the indexer would have written. Called by `journal`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from queue import SimpleQueue

from benchmarks.journal_rows import INTERFACES, OF_ARTICLES, OF_ORDERS
from shared.db.connect import Connection
from shared.records.indexed import WORDS
from shared.records.search import SEARCHED

PIECE = 200_000
ORDERS, ARTICLES = 0.475, 0.05  # shares of the records; every order has an export
_FILLED = ("records", "payloads", "parts", "shipments", "transitions", "attempts", "search_texts", "articles")

Say = Callable[[str, float], None]
"""What is done, and how far of it: 0 to 1."""


def fill(connections: Sequence[Connection], records: int, say: Say) -> None:
    """Fill an empty, migrated database through connections that work side by side.

    Raises AssertionError where the texts are not what the indexer writes.
    """
    orders, articles = int(records * ORDERS), int(records * ARTICLES)
    for one in connections:
        one.execute("SET statement_timeout = 0")
        one.execute("SET transaction_timeout = 0")
        one.execute("SET maintenance_work_mem = '512MB'")
        one.execute("SET synchronous_commit = off")
    conn = connections[0]
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
    pieces = _pieces("orders and exports", OF_ORDERS, orders, orders)
    pieces += _pieces("articles", OF_ARTICLES, articles, orders)
    made = [(f"index {name}", [definition]) for name, definition in indexes]
    steps, done = len(pieces) + len(made) + 2, 0
    for work in (pieces, made):
        for what in _side_by_side(connections, work):
            done += 1
            say(what, done / steps)
    for table in ("records", "shipments", "articles"):
        conn.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER".encode())
    conn.execute("SELECT setval('records_id_seq', (SELECT max(id) FROM records))")
    for table in _FILLED:
        conn.execute(f"VACUUM (ANALYZE) {table}".encode())
    say("statistics", (done + 1) / steps)
    if wrong := _differing(conn):
        raise AssertionError(f"the texts of records {wrong} are not what the indexer would write")
    say("compared with the indexer", 1.0)


Work = tuple[str, list[str]]
"""What it is, and the statements that belong together in this order."""


def _pieces(what: str, statements: Sequence[str], count: int, orders: int) -> list[Work]:
    found = []
    for first in range(1, count + 1, PIECE):
        values = {"first": first, "last": min(first + PIECE - 1, count), "orders": orders}
        filled = list(statements)
        for name, value in values.items():
            filled = [one.replace(f"%({name})s", str(value)) for one in filled]
        found.append((f"{what} {values['last']:,}/{count:,}", filled))
    return found


def _side_by_side(connections: Sequence[Connection], work: Sequence[Work]) -> Iterator[str]:
    """Does all of it, each part on whichever connection is free; tells what is done."""
    free: SimpleQueue[Connection] = SimpleQueue()
    for one in connections:
        free.put(one)

    def do(part: Work) -> str:
        conn = free.get()
        try:
            for statement in part[1]:
                conn.execute(statement.encode())
        finally:
            free.put(conn)
        return part[0]

    with ThreadPoolExecutor(len(connections)) as threads:
        for future in as_completed([threads.submit(do, part) for part in work]):
            yield future.result()


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
        f"SELECT r.id FROM (SELECT r.id, r.flow, {SEARCHED} AS text FROM records r WHERE r.id IN ("
        f"SELECT (random() * m)::int8 FROM (SELECT max(id) AS m FROM records) m, generate_series(1, 300)) OFFSET 0) r"
        f" JOIN search_texts t ON t.record_id = r.id WHERE t.words IS DISTINCT FROM ({WORDS})".encode()
    ).fetchall()
    return [row[0] for row in rows]
