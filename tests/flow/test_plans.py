"""How PostgreSQL finds the rows that are settled, when many others are due: by their number and by nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from shared.db.connect import Connection, connect
from shared.records import settle
from tests.support.spine import SLUG, store_lane

pytestmark = pytest.mark.servers
DUE = 20_000


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests", plan_once=True) as opened:
        store_lane(opened)
        opened.execute(
            "INSERT INTO records(interface, flow, key, stage, state, due_at, changed_at, data_hash)"
            " SELECT %s, 'order-import', 'D' || i, 'erp', 'pending', now(), now(), md5(i::text)::uuid"
            " FROM generate_series(1, %s) AS i",
            (SLUG, DUE),
        )
        opened.execute("ANALYZE records")
        yield opened


def plan(conn: Connection, statement: str) -> str:
    """The plan that is made once and used for every batch."""
    numbers = iter(range(1, 100))
    types = [f"{name}[]" for name in settle._TYPES]
    numbered = re.sub("%b", lambda _: f"${next(numbers)}", statement)
    conn.execute(f"PREPARE asked({', '.join(types)}) AS {numbered}".encode())
    nothing = ", ".join("NULL" for _ in types)
    rows = conn.execute(f"EXPLAIN EXECUTE asked({nothing})".encode()).fetchall()
    return "\n".join(line for (line,) in rows)


def test_a_settle_looks_its_rows_up_by_their_number(conn: Connection) -> None:
    found = plan(conn, settle._SETTLE[False])
    assert "Index Scan using records_pkey" in found
    assert "records_journal" not in found
    assert "Seq Scan on records" not in found


def test_asked_by_its_state_it_would_take_the_journals_index(conn: Connection) -> None:
    """Why the fence is written as it is. When this fails, PostgreSQL has learned it, and the fence may be plain."""
    plainly = settle._SETTLE[False].replace("r.state || '' = 'running'", "r.state = 'running'")
    assert "records_journal" in plan(conn, plainly)
