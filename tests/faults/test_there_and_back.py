"""The whole way, with an exporter that is killed again and again: what the ERP shipped stands in the shop once.

Orders are placed in the shop, brought to the ERP by an importer, shipped and cancelled there, told by webhook. At each
turn an exporter dies at another of its failpoints, over two orders of its own and over what the last one left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from shared.failpoint import NAMES
from tests.support.system import System
from tests.support.there_and_back import (
    assert_the_shop_shows_what_left,
    bought,
    hints_come_due,
    leave,
    until_exported,
    webhooks,
    without_poll,
)
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.timeout(600)]

OURS = ("erp-poll.", "export.", "fetch.", "hints.", "intake.", "work.")
IMPORTERS = {"intake.handed-over", "work.looked-up", "work.before-call", "work.called"}
EVERY = tuple(sorted(name for name in NAMES - IMPORTERS if name.startswith(OURS)))
SOME = ("export.called", "hints.published", "intake.stored")
A_TURN = 2


def poll_is_due(system: System, _numbers: Sequence[str]) -> None:
    system.change("UPDATE erp_cursors SET polled_at = now() - interval '1 hour'")


def ask_for(system: System, numbers: Sequence[str]) -> None:
    system.request("export", numbers)


def lose_one(system: System, _numbers: Sequence[str]) -> None:
    """A parcel that the marketplace takes and does not show."""
    system.stand.fault("otto", "accepted_not_applied", "send-shipment")


PREPARED: dict[str, Callable[[System, Sequence[str]], None]] = {
    **dict.fromkeys([name for name in EVERY if name.startswith("erp-poll.")], poll_is_due),
    **dict.fromkeys([name for name in EVERY if name.startswith("fetch.")], ask_for),
    "export.found": lose_one,
}


@pytest.mark.parametrize(
    "failpoints", [pytest.param(SOME, id="some"), pytest.param(EVERY, id="every", marks=pytest.mark.faults_full)]
)
def test_what_the_erp_shipped_stands_in_the_shop_once(system: System, failpoints: Sequence[str]) -> None:
    numbers = bought(system, A_TURN * len(failpoints) + 1)
    cancelled, shipped = numbers[0], numbers[1:]
    without_poll(system)
    with webhooks(system):
        for turn, failpoint in enumerate(failpoints):
            mine = shipped[A_TURN * turn : A_TURN * (turn + 1)]
            if failpoint in PREPARED:
                PREPARED[failpoint](system, mine)
            if failpoint == "export.cancelled":
                system.stand.post("xentral", f"orders/{cancelled}/cancel")
            leave(system, mine)
            system.change("UPDATE receipt_numbers SET due_at = now() WHERE due_at IS NOT NULL")
            hints_come_due(system)
            name = f"{turn:02d}-{failpoint}"
            dying = system.start(name, "exporter", fault=f"{failpoint}:kill@1")
            until(lambda: dying.poll() is not None, f"the exporter died at {failpoint}", 60)  # noqa: B023
            assert dying.returncode == -9, system.log_text(name)[-2000:]
        if "export.cancelled" not in failpoints:
            system.stand.post("xentral", f"orders/{cancelled}/cancel")
        system.change("UPDATE receipt_numbers SET due_at = now() WHERE due_at IS NOT NULL")
        hints_come_due(system)
        system.start("last", "exporter")
        until_exported(system, len(numbers), 120)
    until(system.receipt_complete, "every receipt is filled", 60)
    assert_the_shop_shows_what_left(system, shipped)
    (order,) = [each for each in system.stand.state("otto")["orders"] if each["orderNumber"] == cancelled]
    assert {item["fulfillmentStatus"] for item in order["positionItems"]} == {"CANCELLED_BY_PARTNER"}
