"""Kill the exporter at every crash point: each parcel is told once, each cancellation comes true, nothing is left over.

The orders have two parcels each, so that a crash strikes between them as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from shared.failpoint import NAMES
from tests.faults.share import share
from tests.support.exporting import change_event
from tests.support.parcels import assert_told_once, exports, imported, shipment_event
from tests.support.system import System
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
TELLING = ("intake.committed", "export.called", "export.accepted")
SENDING = sorted(name for name in NAMES if name.startswith("export.") and name not in (FOUND, CANCELLED))


def ship(system: System, numbers: Sequence[str]) -> None:
    system.publish([shipment_event(number) for number in numbers], "order-changed")


@pytest.mark.parametrize("failpoint", share([*TAKING_IN, *WORKING, *SENDING], TELLING))
def test_a_crash_tells_no_parcel_twice_and_forgets_none(system: System, failpoint: str) -> None:
    numbers = imported(system, ORDERS)
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


@pytest.mark.faults_full
def test_a_crash_after_the_wish_to_cancel(system: System) -> None:
    numbers = imported(system, ORDERS)
    crashing = system.start("exporter", "exporter", fault=f"{CANCELLED}:kill@1")
    system.publish([change_event(number, "cancelled") for number in numbers], "order-changed")
    until(lambda: crashing.poll() is not None, "the exporter died over a cancellation")
    system.start("successor", "exporter")
    until(lambda: exports(system) == {"done": ORDERS}, "all are cancelled", 60)
    held = system.stand.state("otto")["orders"]
    assert {item["fulfillmentStatus"] for order in held for item in order["positionItems"]} == {"CANCELLED_BY_PARTNER"}
    system.assert_books_balance()
