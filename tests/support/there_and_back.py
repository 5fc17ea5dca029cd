"""Orders on their way there and back: placed in the shop, imported, shipped by the ERP, shown as sent in the shop.

Everything by the real services; only the shop and the ERP are stand-ins, and a Journal in this process takes in what
the ERP calls out.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from services.journal.app import create_app
from services.journal.wiring import Journal
from shared.connectors.registry import discover
from shared.db.connect import connect, open_pool
from shared.metrics import Metrics
from shared.records import return_numbers
from shared.records.interfaces import read
from shared.runtime.hinted_orders import ORDER_KINDS
from shared.runtime.remotes import Remotes
from shared.seal import Seal
from tests.support.hinting import register
from tests.support.parcels import assert_ledger_at_rest, parcels
from tests.support.system import INTERFACE, SECRET, System
from tests.support.waiting import until
from tests.web.conftest import served


def bought(system: System, count: int) -> list[str]:
    """Orders of three pieces, placed in the shop and brought to the ERP by an importer; their numbers."""
    system.prepare(poll_seconds=1)
    numbers = system.stand.place("otto", count, skus=["ABC-1"], units=3)
    system.start()
    assert system.until_settled(count, 90) == {"done": count}
    assert system.end() == 0
    system.stand.settings("xentral", search_lag=0)  # they have been there for a while
    with connect(system.database_url, "tests") as conn:
        return_numbers.add(conn, INTERFACE, "DHL", [f"R-{name}" for each in numbers for name in parcels(each)], "tests")
    return numbers


@contextlib.contextmanager
def webhooks(system: System) -> Iterator[None]:
    """A Journal that the ERP calls about everything that changes there."""
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(open_pool(system.database_url, "tests-journal", 4))
        journal = Journal(
            pool, ZoneInfo("UTC"), Metrics("journal", "0"), connectors=discover(), seal=Seal(SECRET), patience=10.0
        )
        address = stack.enter_context(served(create_app(journal)))
        with pool.connection() as conn:
            interface = read(conn, Seal(SECRET), INTERFACE)
        assert interface is not None
        remotes = Remotes(discover(), pool, Metrics("tests", "0"), 5.0)
        register(remotes, interface, f"{address}/api/v1/webhooks/{INTERFACE}")
        yield


def without_poll(system: System) -> None:
    """The ERP was polled a moment ago: what changes now is told by hints, or by nobody."""
    system.change(
        "INSERT INTO erp_cursors(interface, watermark, polled_at, ok_at) VALUES (%s, now(), now(), now())", INTERFACE
    )


def leave(system: System, numbers: Sequence[str]) -> None:
    """The ERP ships these in two delivery notes with a parcel each: one piece, then the rest."""
    for number in numbers:
        lines = [{"sku": "ABC-1", "quantity": 1}, None]
        for line, name in zip(lines, parcels(number), strict=True):
            wish = {"parcels": [{"carrier": "DHL", "tracking_number": name}]} | ({"lines": [line]} if line else {})
            system.stand.post("xentral", f"orders/{number}/ship", wish)


def hints_come_due(system: System) -> None:
    """Time passes: who held them is dead."""
    system.change("UPDATE hints SET due_at = now()")


def until_exported(system: System, count: int, seconds: float = 90.0) -> None:
    """All that the ERP said has been told, and nothing is left to look at."""

    def exported() -> bool:
        left = system.query("SELECT count(*) FROM hints WHERE kind = ANY(%s)", list(ORDER_KINDS))
        return system.states("order-export") == {"done": count} and left == [(0,)]

    until(exported, f"{count} orders are exported", seconds)


def left_the_erp(system: System) -> Counter[tuple[str, str]]:
    """(order, tracking number) of every parcel that left the ERP."""
    state = system.stand.state("xentral")
    numbers = {order["id"]: order["externalOrderNumber"] for order in state["salesOrders"]}
    return Counter((numbers[each["salesOrder"]["id"]], each["tracking"]["number"]) for each in state["shipments"])


def shown_in_the_shop(system: System) -> Counter[tuple[str, str]]:
    """The same of every parcel that the shop was told of."""
    state = system.stand.state("otto")
    numbers = {order["salesOrderId"]: order["orderNumber"] for order in state["orders"]}
    told: Counter[tuple[str, str]] = Counter()
    for each in state["shipments"]:
        orders = {numbers[item["salesOrderId"]] for item in each["positionItems"]}
        told.update((number, each["trackingKey"]["trackingNumber"]) for number in orders)
    return told


def assert_the_shop_shows_what_left(system: System, numbers: Sequence[str]) -> None:
    """Each of these orders is sent, each parcel of the ERP is told once and none besides, and nothing is left to do."""
    left = left_the_erp(system)
    assert set(left.values()) == {1}
    assert shown_in_the_shop(system) == left
    orders = {order["orderNumber"]: order["positionItems"] for order in system.stand.state("otto")["orders"]}
    for number in numbers:
        assert [item["fulfillmentStatus"] for item in orders[number]] == ["SENT"] * 3
        tracked = Counter(item["trackingInfo"]["trackingNumber"] for item in orders[number])
        assert tracked == dict(zip(parcels(number), (1, 2), strict=True))
    assert system.query("SELECT count(*) FROM records WHERE due_at IS NOT NULL") == [(0,)]
    assert_ledger_at_rest(system)
    system.assert_books_balance()
    system.assert_history_has_no_gaps()
