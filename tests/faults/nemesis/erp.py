"""An ERP that misbehaves: each strike hits some calls while orders are made; then it is well again.

An operator retries what waits, as with a click: the schedule would take minutes, and a retry that comes early must not
make anything twice either.
"""

from __future__ import annotations

import time

from tests.faults.scene import Scene
from tests.support.waiting import until

STRIKES = 4
OPERATIONS = ("create-order", "create-order", "find-orders", "*")


def erp(scene: Scene) -> None:
    """The fault of the case, in several strikes of one to eight calls; five in a row open the breaker."""
    stand, fault = scene.system.stand, scene.case.fault
    scene.until_started(scene.start())
    strikes = STRIKES * scene.rounds
    for turn in range(strikes):
        operation = OPERATIONS[turn % len(OPERATIONS)] if "after_success" not in fault else "create-order"
        stand.fault("xentral", fault, operation, scene.chance.randint(1, 8), **_more(scene))
        scene.fault(f"erp/{fault}")
        scene.driver.publish(scene.take(80 / strikes))
        until(lambda: _struck(scene), "the strike has hit", 60)
        stand.clear("xentral")
        scene.retry_waiting()
    healed = time.monotonic()
    before = len(stand.ledger("xentral", scene.since.create))
    scene.driver.publish(scene.rest())

    def creating() -> bool:
        scene.retry_waiting()
        return len(stand.ledger("xentral", scene.since.create)) > before

    until(creating, "orders are made again", 100)  # a breaker that met several strikes looks once a minute
    scene.recovered(f"erp/{fault}", time.monotonic() - healed)


def _struck(scene: Scene) -> bool:
    """All calls of the strike have come. A breaker that opened keeps the rest away: that will do, too."""
    open_ = scene.system.query("SELECT count(*) FROM side_states WHERE breaker <> 'closed'") != [(0,)]
    return open_ or not scene.system.stand.faults("xentral")


def _more(scene: Scene) -> dict[str, float]:
    """Hangs end after the call's deadline, and Retry-After is short."""
    return {"seconds": 3.0, "retry_after": scene.chance.choice((1.0, 2.0))}
