"""Upkeep: what it does to young tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.importer.upkeep import Upkeep
from shared.db.connect import Connection, connect
from tests.support.spine import event, store_lane, take_in

pytestmark = pytest.mark.servers


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        yield opened


def test_a_table_that_was_never_analysed_is_analysed_once_it_holds_something(conn: Connection) -> None:
    take_in(conn, event("A"))
    Upkeep(lambda: conn).once(conn)
    (known,) = conn.execute("SELECT reltuples >= 0 FROM pg_class WHERE relname = 'records'").fetchone() or ()
    assert known
