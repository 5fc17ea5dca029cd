"""Kill the exporter at every crash point: each parcel is told once, each cancellation comes true, nothing is left over.

The orders have two parcels each, so that a crash strikes between them as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from shared.connectors.registry import discover
from shared.db.connect import connect, open_pool
from shared.failpoint import NAMES
from shared.metrics import Metrics
from shared.records.interfaces import read
from shared.runtime.remotes import Remotes
from shared.seal import Seal
from tests.support.exporting import change_event, import_orders, parcel, shipped
from tests.support.system import INTERFACE, SECRET, System
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.timeout(180)]

ORDERS = 5
FOUND, CANCELLED = "export.found", "export.cancelled"
TAKING_IN = (
    "intake.received",
    "intake.decoded",
    "intake.new-stored",
    "intake.stored",
    "intake.committed",
    "intake.acked",
)
WORKING = ["work.claimed", "work.before-settle", "work.settled"]
SENDING = sorted(name for name in NAMES if name.startswith("export.") and name not in (FOUND, CANCELLED))


def imported(system: System, count: int = ORDERS) -> list[str]:
    """Orders that the marketplace has, and whose import is done."""
    system.prepare()
    numbers = system.stand.place("otto", count, skus=["ABC-1"], units=3)
    with connect(system.database_url, "tests") as conn, open_pool(system.database_url, "tests-calls", 2) as pool:
        interface = read(conn, Seal(SECRET), INTERFACE)
        assert interface is not None
        import_orders(conn, Remotes(discover(), pool, Metrics("tests", "0"), 5.0), interface, numbers)
    return numbers


def parcels(number: str) -> list[str]:
    return [f"{number}-a", f"{number}-b"]


def ship(system: System, numbers: Sequence[str]) -> None:
    events = [
        change_event(number, "shipped", *(parcel(name, ("ABC-1", n + 1)) for n, name in enumerate(parcels(number))))
        for number in numbers
    ]
    system.publish(events, "order-changed")


def exports(system: System) -> dict[str, int]:
    return dict(system.query("SELECT state, count(*) FROM records WHERE flow = 'order-export' GROUP BY state"))


def assert_told_once(system: System, numbers: Sequence[str]) -> None:
    for number in numbers:
        assert sorted(shipped(system.stand, number)) == parcels(number)
    assert system.query("SELECT DISTINCT state FROM shipments") == [("confirmed",)]
    system.assert_books_balance()


@pytest.mark.parametrize("failpoint", [*TAKING_IN, *WORKING, *SENDING])
def test_a_crash_tells_no_parcel_twice_and_forgets_none(system: System, failpoint: str) -> None:
    numbers = imported(system)
    crashing = system.start("exporter", "exporter", fault=f"{failpoint}:kill@1")
    ship(system, numbers)
    until(lambda: crashing.poll() is not None, f"the exporter died at {failpoint}")
    assert crashing.returncode == -9
    system.start("successor", "exporter")
    until(lambda: exports(system) == {"done": ORDERS}, "all are exported", 60)
    assert_told_once(system, numbers)


def test_a_crash_before_an_unseen_parcel_is_sent_again(system: System) -> None:
    numbers = imported(system, 1)
    system.stand.fault("otto", "accepted_not_applied", "send-shipment")
    crashing = system.start("exporter", "exporter", fault=f"{FOUND}:kill@1")
    ship(system, numbers)
    until(lambda: crashing.poll() is not None, "the exporter died before it sent again")
    system.start("successor", "exporter")
    until(lambda: exports(system) == {"done": 1}, "it is exported", 60)
    assert_told_once(system, numbers)


def test_a_crash_after_the_wish_to_cancel(system: System) -> None:
    numbers = imported(system)
    crashing = system.start("exporter", "exporter", fault=f"{CANCELLED}:kill@1")
    system.publish([change_event(number, "cancelled") for number in numbers], "order-changed")
    until(lambda: crashing.poll() is not None, "the exporter died over a cancellation")
    system.start("successor", "exporter")
    until(lambda: exports(system) == {"done": ORDERS}, "all are cancelled", 60)
    held = system.stand.state("otto")["orders"]
    assert {item["fulfillmentStatus"] for order in held for item in order["positionItems"]} == {"CANCELLED_BY_PARTNER"}
    system.assert_books_balance()
