"""The service as a process of its own: events over the broker, quantities at the marketplace."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sandbox import Stand
from tests.support.stocking import stock_event
from tests.support.system import System, running
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]


@pytest.fixture
def system(tmp_path: Path, database_url: str, broker_url: str, stand: Stand) -> Iterator[System]:
    found = System(tmp_path, database_url, broker_url, stand)
    found.prepare()
    with running(found):
        yield found


def test_changes_travel_from_the_broker_to_the_marketplace(system: System, stand: Stand) -> None:
    mark = uuid.uuid4().hex[:8]
    skus = [f"{mark}-{n}" for n in range(50)]
    stand.products("otto", *skus)
    system.start("stock", "stock")
    system.publish([stock_event(sku, n) for n, sku in enumerate(skus)], "stock-changed")

    def shown() -> bool:
        quantities = stand.state("otto")["quantities"]
        return all(quantities.get(sku) == n for n, sku in enumerate(skus))

    until(shown, f"all are shown; {system.states()}")
    until(lambda: system.query("SELECT count(*) FROM records WHERE due_at IS NOT NULL") == [(0,)], "all are done")
    listed = "SELECT articles FROM listings WHERE refreshed_at IS NOT NULL"
    assert until(lambda: system.query(listed), "the listing was read at the start")[0][0] > 0
    assert system.end("stock", signal.SIGTERM) == 0
    system.assert_books_balance()
