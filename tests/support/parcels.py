"""Orders of the marketplace that are imported already, and parcels of them that are told to the exporter as events."""

from __future__ import annotations

from collections.abc import Sequence

from shared.connectors.registry import discover
from shared.db.connect import connect, open_pool
from shared.metrics import Metrics
from shared.records.interfaces import read
from shared.runtime.remotes import Remotes
from shared.seal import Seal
from tests.faults.check_back import told_once
from tests.support.exporting import change_event, import_orders, parcel, shipped
from tests.support.system import INTERFACE, SECRET, System


def imported(system: System, count: int, *, sends_at_once: int = 8) -> list[str]:
    """Orders of three pieces that the marketplace has, and whose import is done; their numbers."""
    system.prepare(sends_at_once=sends_at_once)
    numbers = system.stand.place("otto", count, skus=["ABC-1"], units=3)
    with connect(system.database_url, "tests") as conn, open_pool(system.database_url, "tests-calls", 2) as pool:
        interface = read(conn, Seal(SECRET), INTERFACE)
        assert interface is not None
        import_orders(conn, Remotes(discover(), pool, Metrics("tests", "0"), 5.0), interface, numbers)
    return numbers


def parcels(number: str) -> list[str]:
    """The tracking numbers of an order's two parcels: a crash strikes between them as well."""
    return [f"{number}-a", f"{number}-b"]


def shipment_event(number: str, count: int = 2) -> bytes:
    """The order was shipped, in so many of its parcels until now."""
    sent = parcels(number)[:count]
    return change_event(number, "shipped", *(parcel(name, ("ABC-1", n + 1)) for n, name in enumerate(sent)))


def exports(system: System) -> dict[str, int]:
    """How many exports are in each state."""
    return dict(system.states("order-export"))


def assert_told_once(system: System, numbers: Sequence[str]) -> None:
    """The marketplace holds every parcel once and no other, and knows that we know."""
    told = {number: shipped(system.stand, number) for number in numbers}
    orders = [order["orderNumber"] for order in system.stand.state("otto")["orders"]]
    assert list(told_once(told, {number: parcels(number) for number in numbers}, orders)) == []
    assert_ledger_at_rest(system)
    system.assert_books_balance()
    system.assert_history_has_no_gaps()


def assert_ledger_at_rest(system: System) -> None:
    """Every parcel is known to be there, and none was sent twice: a marketplace that can tell refuses the second."""
    assert system.query("SELECT DISTINCT state FROM shipments") == [("confirmed",)]
    assert system.query("SELECT * FROM transitions WHERE code = 'shipment-conflict'") == []
