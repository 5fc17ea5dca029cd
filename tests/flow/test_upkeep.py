"""Gauges from the database: parts of exports count by themselves, tests do not count."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.importer.upkeep import Upkeep
from shared.db.connect import Connection, connect
from shared.metrics import Metrics
from tests.support.spine import event, record, store_lane, take_in

pytestmark = pytest.mark.servers


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        yield opened


def test_each_part_of_an_export_is_counted_with_its_state(conn: Connection) -> None:
    take_in(conn, event("A"), event("B"), event("C"))
    for key, state in (("A", "done"), ("B", "pending")):
        row = record(conn, key, flow="order-export")
        conn.execute(
            "UPDATE records SET state = %s, due_at = CASE WHEN %s = 'pending' THEN now() END WHERE id = %s",
            (state, state, row["id"]),
        )
        conn.execute("INSERT INTO parts(record_id, part, state) VALUES (%s, 'tracking', 'done')", (row["id"],))
    metrics = Metrics("tests", "0")
    Upkeep(metrics, lambda: conn).once(conn)
    counted = {
        (sample.labels["flow"], sample.labels["stage"], sample.labels["state"]): sample.value
        for family in metrics.records.collect()
        for sample in family.samples
    }
    assert counted == {
        ("order-import", "erp", "pending"): 3,
        ("order-export", "status", "never"): 2, ("order-export", "status", "pending"): 1,
        ("order-export", "tracking", "done"): 1, ("order-export", "tracking", "never"): 1,
        ("order-export", "tracking", "pending"): 1,
    }  # fmt: skip


def test_a_table_that_was_never_analysed_is_analysed_once_it_holds_something(conn: Connection) -> None:
    take_in(conn, event("A"))
    Upkeep(Metrics("tests", "0"), lambda: conn).once(conn)
    (known,) = conn.execute("SELECT reltuples >= 0 FROM pg_class WHERE relname = 'records'").fetchone() or ()
    assert known
