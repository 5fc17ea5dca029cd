"""What metrics say of the database is what is in it: after any history, any crash, and for one process at a time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.db.connect import Connection, connect
from shared.rollup.rollup import Rollup
from tests.support.spine import SLUG, event, nothing, record, store_lane, take_in

pytestmark = pytest.mark.servers


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        yield opened


def test_each_part_of_an_export_is_counted_with_its_state(conn: Connection) -> None:
    take_in(conn, event("A"), event("B"), event("C"), event("D"))
    for key, state in (("A", "done"), ("B", "pending"), ("D", "failed")):
        row = record(conn, key, flow="order-export")
        conn.execute(
            "UPDATE records SET state = %s, due_at = CASE WHEN %s = 'pending' THEN now() END WHERE id = %s",
            (state, state, row["id"]),
        )
        conn.execute("INSERT INTO parts(record_id, part, state) VALUES (%s, 'tracking', 'done')", (row["id"],))
    counted = Rollup(nothing).round(conn)["connect_records"]
    assert counted == {
        ("order-import", SLUG, "erp", "pending"): 4,
        ("order-export", SLUG, "status", "never"): 2, ("order-export", SLUG, "status", "pending"): 1,
        ("order-export", SLUG, "tracking", "done"): 1, ("order-export", SLUG, "tracking", "never"): 1,
        ("order-export", SLUG, "tracking", "pending"): 1,
        # It failed as a whole, for instance by five lost workers: no part says so.
        ("order-export", SLUG, "status", "failed"): 1, ("order-export", SLUG, "tracking", "failed"): 1,
    }  # fmt: skip
