"""The indexer: what it writes, that one works at a time, and that a crash at any point loses no note."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from shared.db.connect import Connection, connect
from shared.failpoint import NAMES, Failpoints
from shared.records.filter import parse
from shared.records.indexed import LONGEST_WORD
from shared.records.indexer import LOCK, Indexer, behind
from shared.records.listing import list_records
from tests.support.rows import store_article, store_export, store_shipment
from tests.support.stored import order_event, store_record

pytestmark = pytest.mark.servers
ZONE = ZoneInfo("Europe/Berlin")
POINTS = sorted(name for name in NAMES if name.startswith("search."))
PROGRAM = """
import sys
from shared.db.connect import connect
from shared.failpoint import Failpoints
from shared.records.indexer import Indexer
with connect(sys.argv[1], "tests") as conn:
    indexer = Indexer()
    while indexer.batch(conn, Failpoints(sys.argv[2]), limit=2):
        pass
"""


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        yield opened


def found(conn: Connection, text: str, flow: str = "order-import") -> list[str]:
    return [item["key"] for item in list_records(conn, flow, parse(text, ZONE), sort="number").items]


def index_all(conn: Connection) -> None:
    indexer = Indexer()
    while indexer.batch(conn, Failpoints()):
        pass


@pytest.mark.faults
def test_a_crash_at_any_point_leaves_every_record_found(conn: Connection, database_url: str) -> None:
    for n in range(5):
        store_record(conn, f"47{n}")
    for point in POINTS:
        conn.execute("INSERT INTO search_stale SELECT id FROM records")
        conn.execute("UPDATE records SET remote = %s WHERE key = '473'", (f"XE-{point}",))
        died = subprocess.run(
            [sys.executable, "-c", PROGRAM, database_url, f"{point}:kill@1"], check=False, timeout=60,
            cwd=Path(__file__).resolve().parents[2],
        )  # fmt: skip
        assert died.returncode == -9, point
        assert behind(conn) >= 5 - 2 * (point == "search.removed")
        assert found(conn, f"xe-{point} erika") == ["473"]
        index_all(conn)
        assert behind(conn) == 0
        assert found(conn, f"xe-{point} erika") == ["473"]


def test_one_works_at_a_time(conn: Connection, database_url: str) -> None:
    store_record(conn, "4711")
    with connect(database_url, "tests") as other, other.transaction():
        other.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        assert Indexer().batch(conn, Failpoints()) == 0
    assert Indexer().batch(conn, Failpoints()) == 1


def test_whatever_changes_a_text_is_noted(conn: Connection) -> None:
    """Of an order and of its export, whichever of them says it; and of an article."""
    order = store_record(conn, "4711", event=order_event("4711"))
    export = store_export(conn, "4711")
    article = store_article(conn, "ABC-1", name="Kleid")
    changes = [
        ("UPDATE records SET remote = 'XE-9' WHERE id = %s", order, "xe-9"),
        ("UPDATE records SET marketplace_id = 'other' WHERE id = %s", order, None),
        ("UPDATE records SET payload_no = 1 WHERE id = %s", export, "4711"),
        ("UPDATE articles SET name = 'Rock' WHERE record_id = %s", article, None),
    ]
    for statement, record, both in changes:
        index_all(conn)
        conn.execute(statement.encode(), (record,))
        noted = {row[0] for row in conn.execute("SELECT record_id FROM search_stale")}
        assert noted == ({order, export} if both else {record}), statement
        if both:
            assert found(conn, both) == found(conn, both, "order-export") == ["4711"]
    assert found(conn, "rock", "stock") == ["ABC-1"]
    index_all(conn)
    store_shipment(conn, export, "1", "JVGL-77")
    assert found(conn, "jvgl-77") == found(conn, "jvgl-77", "order-export") == ["4711"]
    index_all(conn)
    assert found(conn, "jvgl-77") == found(conn, "jvgl-77", "order-export") == ["4711"]
    conn.execute("UPDATE records SET state = 'running', updated_at = now(), claim_no = claim_no + 1")
    assert behind(conn) == 0, "a claim changes no text"


def test_words_of_any_length_and_number_are_found(conn: Connection) -> None:
    long = "x" * (LONGEST_WORD + 20)
    many = " ".join(f"w{n}" for n in range(60_000))
    for number, name in (("1", long), ("2", f"{long}y"), ("3", many), ("4", "a-b-c"), ("5", "a-b b-c")):
        store_record(conn, number, event=order_event(number, customer={"last_name": name}))
    for _ in range(2):
        assert found(conn, long) == ["1", "2"]
        assert found(conn, f"{long}y") == ["2"]
        assert found(conn, "w59999") == ["3"]
        assert found(conn, "a-b") == ["4", "5"]
        assert found(conn, "a-b-c") == ["4"]
        index_all(conn)
    assert conn.execute("SELECT count(*) FROM search_texts WHERE words IS NULL").fetchone() == (1,)
