"""The primary of a pair goes, its synchronous standby is promoted: nothing that was committed may be missing.

One importer runs through all of it and finds the new primary by itself.
"""

from __future__ import annotations

import time

from tests.faults.scene import Scene
from tests.support.waiting import until

TIMES = 2


def failover(scene: Scene) -> None:
    """The fault of the case: `kill` (kill -9 of the primary) or `switch` (it is closed down in order)."""
    pair, name = scene.ground.pair, f"failover/{scene.case.fault}"
    times = TIMES * scene.rounds
    scene.until_started(scene.start())
    for _ in range(times):
        flow = scene.driver.flow(scene.take(60 / times))
        half = scene.driver.published + scene.size * 25 / times / 100
        until(lambda: scene.driver.published >= half or not flow.running, "events flow", 30)  # noqa: B023
        struck = time.monotonic()
        pair.fail_over(in_order=scene.case.fault == "switch")
        scene.fault(name)
        scene.recovered(f"{name}, promoted", time.monotonic() - struck)
        share = scene.take(24 / times)
        scene.driver.publish(share)
        scene.flows(name, struck, share)
        flow.join()
        pair.attach()
    scene.driver.publish(scene.rest())
