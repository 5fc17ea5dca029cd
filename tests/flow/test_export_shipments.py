"""Parcels reach the marketplace, each once, whatever happens to the calls: against the stand-ins, for real."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from shared.db.connect import Connection, connect
from tests.support.exporting import Exporting, add, exporting, parcel
from tests.support.sandbox import Stand
from tests.support.spine import assert_sound

pytestmark = pytest.mark.servers
START = datetime.now(UTC) - timedelta(hours=2)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        yield opened
        assert_sound(opened)


@pytest.fixture
def work(database_url: str, conn: Connection, stand: Stand) -> Iterator[Exporting]:
    add(conn, stand)
    with exporting(database_url, conn, stand) as found:
        yield found


def test_a_shipment_is_told_once_and_both_parts_are_done(work: Exporting, number: str) -> None:
    order = work.order()
    work.change(order, "shipped", parcel(number), erp_number="200001")
    work.until(order, "done")
    assert work.parts(order) == {"status": ("done", None), "tracking": ("done", None)}
    assert work.ledger(order) == {number: "confirmed"}
    assert work.shipped(order) == [number]
    assert work.units(order) == ["SENT", "SENT"]
    assert work.record(order)["remote"]
