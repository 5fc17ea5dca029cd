"""Kills, breaks or stops an importer at a failpoint while events flow, and starts the next one."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence

from tests.faults.draw import Drawn
from tests.faults.scene import HOLD, KILLED, QUIET_SECONDS, Scene
from tests.support.waiting import until

CHAIN = 3
"""So many die one after the other before the leases of the first run out. More, and lost records would run alone."""

BATCHES = ("work.claimed", "work.looked-up", "work.before-settle", "work.settled")
SOME_BATCHES = {"intake.handed-over": 8, "intake.new-stored": 4, "intake.stored": 4}
"""Passed only by a batch that finds room in a lane, or that has more in it than new orders: so many parts will do."""
CALLS = ("work.before-call", "work.called")
IDLE = "intake.handed-over"
PLACED = 30
AGO = 1200.0


def crash(scene: Scene) -> None:
    """The point and the action of the case."""
    point, _, action = scene.case.fault.partition("/")
    (stop if action == "stop" else chain)(scene, point, action)


def chain(scene: Scene, point: str, action: str) -> None:
    """Several die at the point, each with its own share of events; the last one works all of it off."""
    for round_ in range(scene.rounds):
        died = 0.0
        for turn in range(CHAIN):
            passes = _passes(scene, point)
            wanted = (1,) if action == "raise" else (KILLED,)
            _ask(scene, point)
            victim = scene.start(f"{point}:{action}@{passes}", wanted)
            share = scene.take(70 / CHAIN / scene.rounds)
            _publish(scene, victim, point, share, passes)
            if turn:
                scene.flows(f"crash/{action}", died, share, through=victim)
            died = scene.until_dead(victim)
            scene.fault(f"crash/{point}/{action}")
        if point.startswith("fetch."):
            _again(scene)
        last = scene.start()
        share = scene.rest() if round_ + 1 == scene.rounds else scene.take(30 / scene.rounds)
        scene.driver.publish(share)
        scene.flows(f"crash/{action}", died, share)
        if round_ + 1 < scene.rounds:
            # The next chain begins when nothing is held any more: what was lost twice would run alone.
            scene.see(lambda: scene.idle(), "all is worked off before the next round", QUIET_SECONDS)
            scene.end(last)


def stop(scene: Scene, point: str, action: str) -> None:
    """One stands still for longer than its leases hold; a successor takes over; then it wakes.

    With an even seed one order alone is in its hands, so that nothing can be caught in the window of ADR 1; with an odd
    one eight calls are under way, each of which may be.
    """
    lone = scene.case.seed % 2 == 0 and point.startswith("work.")
    scene.window = 0 if lone else 9
    _ask(scene, point)
    passes = 1 if lone else _passes(scene, point)
    victim = scene.start(f"{point}:{action}@{passes}")
    order = _one_order(scene) if lone else []
    if lone:
        scene.driver.publish(order)
    else:
        _publish(scene, victim, point, scene.take(40), passes)
    froze = scene.until_stopped(victim)
    scene.fault(f"crash/{point}/stop")
    if point.startswith("fetch."):
        _again(scene)
    scene.until_started(scene.start())
    share = scene.take(40)
    scene.driver.publish(share)
    scene.flows("crash/stop", froze, share)
    until(lambda: time.monotonic() > froze + HOLD, "the leases have run out", HOLD + 5)
    if point.startswith("work."):
        # Stopped inside a batch of the intake, too, it holds its locks for 35 s.
        scene.see(lambda: _due(scene) == 0, "a successor has taken over", 45)
    if lone:
        scene.see(lambda: _made(scene, order[0].number), "the order is made, by whomever", 45)
    scene.process(victim).send_signal(signal.SIGCONT)
    if point in CALLS or point == "work.before-settle":
        scene.see(lambda: bool(scene.says(victim, "record.fenced")), "the woken worker is refused", 10)
    scene.driver.publish(scene.rest())
    scene.end(victim)


def _passes(scene: Scene, point: str) -> int:
    """At which pass: late enough to be in the middle of the work, early enough to be reached."""
    if point in CALLS:
        return scene.chance.randint(1, 40)
    if point in BATCHES:
        return scene.chance.randint(1, 3)
    return {"fetch.read": 1, IDLE: 1, "fetch.stored": scene.chance.randint(1, 20)}.get(
        point, scene.chance.randint(1, 2)
    )


def _publish(scene: Scene, victim: str, point: str, events: Sequence[Drawn], passes: int) -> None:
    """For a point that is passed once a batch, in as many parts as it has to be passed, in more where not each does.

    Orders are handed over by an importer that has nothing older to do: a little at a time, until it is hit.
    """
    idle = point == IDLE
    parts = SOME_BATCHES.get(point, passes) if point.startswith("intake.") else 1
    if idle:
        scene.see(lambda: scene.struck(victim) or bool(scene.says(victim, "intake.consuming")), "it runs", 30)
    for n in range(parts):
        part = events[n::parts]
        scene.driver.publish(part)
        if n + 1 < parts:
            scene.see(
                lambda: scene.struck(victim) or (scene.all_stored(part) and (not idle or _due(scene) == 0)),  # noqa: B023
                "a batch is taken in", 10,
            )  # fmt: skip


def _made(scene: Scene, number: str) -> bool:
    """Whether the ERP holds the order."""
    made = scene.system.stand.ledger("xentral", scene.since.create)
    return any(order["externalOrderNumber"] == number for order in made)


def _due(scene: Scene) -> int:
    """How many orders wait for somebody to claim them."""
    return int(scene.system.query("SELECT count(*) FROM records WHERE due_at <= now()")[0][0])


def _one_order(scene: Scene) -> list[Drawn]:
    """The first order of the case that has a single event, taken out of the others."""
    single = next(
        event
        for event in scene.events
        if event.kind == "order" and sum(other.number == event.number for other in scene.events) == 1
    )
    scene.events.remove(single)
    return [single]


def _ask(scene: Scene, point: str) -> None:
    """Orders at the marketplace for the poller to find, or asked for by number; half of them changed long ago."""
    if point.startswith(("poll.", "fetch.")):
        first = len(scene.placed)
        numbers = [f"{scene.tag}-m{first + n}" for n in range(PLACED)]
        scene.system.stand.place("otto", PLACED // 2, numbers=numbers[: PLACED // 2], ago=AGO)
        scene.system.stand.place("otto", PLACED - PLACED // 2, numbers=numbers[PLACED // 2 :])
        scene.placed += numbers
        if point.startswith("fetch."):
            scene.system.request("import", [*numbers, f"{scene.tag}-not-there-{first}"])
        else:
            scene.system.change("DELETE FROM cursors")
            scene.system.change("UPDATE interfaces SET poll_seconds = 1, revision = revision + 1")


def _again(scene: Scene) -> None:
    """As a minute would: what a dead process was fetching is due again."""
    scene.system.change("UPDATE receipt_numbers SET due_at = now() WHERE due_at IS NOT NULL")
