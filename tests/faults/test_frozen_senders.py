"""Exporter and stock frozen around their call for longer than their lease, and woken after their successor.

Neither may send what it no longer holds, nor note what is not true any more. What they hold was taken in before they
began, so that a frozen process keeps no events from its successor.
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from shared.db.connect import connect
from shared.runtime.intake import Intake
from shared.runtime.prepare import Arrival
from tests.faults.share import share
from tests.support.nursery import Process
from tests.support.parcels import assert_told_once, exports, imported, shipment_event
from tests.support.spine import nothing
from tests.support.stocking import stock_event
from tests.support.system import System
from tests.support.waiting import stopped, until

pytestmark = [
    pytest.mark.servers,
    pytest.mark.faults,
    pytest.mark.timeout(240),
    pytest.mark.parametrize("broker_url", ["rabbitmq"], indirect=True),  # which of them makes no difference here
]

ORDERS = 5
SKUS = [f"ABC-{number}" for number in range(1, 4)]
QUIET = "SELECT count(*) FROM records WHERE flow = 'stock' AND due_at IS NOT NULL"


def take_in(system: System, event: str, bodies: Sequence[bytes]) -> None:
    with connect(system.database_url, "tests") as conn:
        Intake(nothing).take_in(conn, [Arrival(body, event, "tests", event) for body in bodies])


def frozen(system: System, service: str, failpoint: str) -> Process:
    process = system.start("frozen", service, fault=f"{failpoint}:stop@1")
    until(lambda: stopped(process.pid), f"it is frozen at {failpoint}", 60)
    return process


def wake(system: System, process: Process) -> None:
    def fenced() -> bool:
        return any(line["event"] == "record.fenced" for line in system.log("frozen"))

    process.send_signal(signal.SIGCONT)
    until(fenced, "the woken worker is refused", 60)


@pytest.mark.parametrize("failpoint", share(["export.before-call", "export.called"], ["export.before-call"]))
def test_an_exporter_that_wakes_tells_no_parcel_again(system: System, failpoint: str) -> None:
    """One call at a time: a second thread could be caught between its last look at the lease and the sending."""
    numbers = imported(system, ORDERS, sends_at_once=1)
    take_in(system, "order-changed", [shipment_event(number) for number in numbers])
    process = frozen(system, "exporter", failpoint)
    system.start("successor", "exporter")
    until(lambda: exports(system) == {"done": ORDERS}, "all are exported", 90)
    wake(system, process)
    until(lambda: exports(system) == {"done": ORDERS}, "all are exported still", 90)
    assert_told_once(system, numbers)
    assert system.stand.calls("otto")["send-shipment"] == 2 * ORDERS


@pytest.mark.parametrize("failpoint", share(["stock.before-call", "stock.called"], ["stock.called"]))
def test_a_stock_service_that_wakes_brings_no_old_quantity_back(system: System, failpoint: str) -> None:
    system.prepare(sends_at_once=1)
    began = datetime.now(UTC) - timedelta(minutes=5)

    def change(version: int, quantity: int) -> None:
        time = began + timedelta(seconds=version)
        take_in(system, "stock-changed", [stock_event(sku, quantity, time=time) for sku in SKUS])

    def until_shown(quantity: int) -> None:
        def shown() -> bool:
            held = system.stand.state("otto")["quantities"]
            return all(held.get(sku) == quantity for sku in SKUS) and system.query(QUIET) == [(0,)]

        until(shown, f"{quantity} is shown, and all is done", 90)

    change(1, 10)
    process = frozen(system, "stock", failpoint)
    change(2, 20)
    system.start("successor", "stock")
    until_shown(20)
    wake(system, process)
    until_shown(20)
    change(3, 10)  # as the frozen one had it: nobody may believe that it is there
    until_shown(10)
    for sku in SKUS:
        sent = [each["quantity"] for each in system.stand.sent_quantities() if each["sku"] == sku]
        changes = [quantity for quantity, _ in itertools.groupby(sent)]
        assert changes == ([20, 10] if failpoint == "stock.before-call" else [10, 20, 10])
    system.assert_books_balance()
    system.assert_history_has_no_gaps()
