"""What may happen to Postgres while events flow. With pgmq it is the broker as well."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from tests.faults.scene import Scene
from tests.support.waiting import until

TIMES = 3
FROZEN_SECONDS = 12.0
"""Longer than every lease and call deadline of a case, shorter than what a supervisor takes for a stall."""


def database(scene: Scene) -> None:
    """The fault of the case."""
    scene.until_started(scene.start())
    FAULTS[scene.case.fault](scene)
    scene.driver.publish(scene.rest())


def restart(scene: Scene) -> None:
    """A fast restart: connections are cut, everything is written down."""
    _away(scene, scene.ground.postgres.stop)


def kill(scene: Scene) -> None:
    """kill -9, and started again: it recovers from its log."""
    _away(scene, scene.ground.postgres.kill)


def _away(scene: Scene, stop: Callable[[], None]) -> None:
    postgres = scene.ground.postgres
    times = TIMES * scene.rounds
    for _ in range(times):
        flow = scene.driver.flow(scene.take(60 / times))
        half = scene.driver.published + scene.size * 30 // times // 100
        until(lambda: scene.driver.published >= half or not flow.running, "events flow", 30)  # noqa: B023
        struck = time.monotonic()
        stop()
        postgres.start()
        scene.fault(f"database/{scene.case.fault}")
        scene.recovered(f"database/{scene.case.fault}, server back", time.monotonic() - struck)
        share = scene.take(24 / times)
        scene.driver.publish(share)
        scene.flows(f"database/{scene.case.fault}", struck, share)
        flow.join()


def freeze(scene: Scene) -> None:
    """The whole server stands still for longer than any lease, and goes on."""
    flow = scene.driver.flow(scene.take(40))
    half = scene.size * 20 // 100
    until(lambda: scene.driver.published >= half or not flow.running, "events flow", 30)
    frozen = scene.ground.frozen(scene.ground.postgres)
    froze = time.monotonic()
    try:
        scene.fault("database/freeze")
        if scene.case.broker == "rabbitmq":
            scene.driver.publish(scene.take(20))
        until(lambda: time.monotonic() > froze + FROZEN_SECONDS, "every lease has run out", FROZEN_SECONDS + 5)
    finally:
        frozen.thaw()
    thawed = time.monotonic()
    share = scene.take(20)
    scene.driver.publish(share)
    scene.flows("database/freeze, after the thaw", thawed, share)
    flow.join()


FAULTS: Mapping[str, Callable[[Scene], None]] = {"restart": restart, "kill": kill, "freeze": freeze}
