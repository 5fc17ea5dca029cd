"""What may happen to one node of three while events flow: events must flow again without it.

One importer runs through all of it and is never started again by hand; it knows all three nodes, as the driver does.
With an odd seed the node is the one that the importer consumes over, with an even one another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from tests.faults.cluster import Cluster, Node
from tests.faults.scene import Scene
from tests.support.waiting import until

TIMES = 2
SECONDS = 60.0
MINORITY_SECONDS = 3.0


def cluster(scene: Scene) -> None:
    """The fault of the case."""
    scene.until_started(scene.start())
    FAULTS[scene.case.fault](scene)
    scene.driver.publish(scene.rest())


def leader_kill(scene: Scene) -> None:
    """kill -9 of the node that leads the queue."""
    for _ in range(TIMES * scene.rounds):
        _strike(scene, _leader(scene), _killed)


def leader_freeze(scene: Scene) -> None:
    """The node that leads the queue stands still; everything flows without it before it is killed and started again.

    It is not woken: RabbitMQ 3.10 does not join a node by itself that slept through its own death.
    """
    for _ in range(TIMES * scene.rounds):
        _strike(scene, _leader(scene), _frozen)


def follower_kill(scene: Scene) -> None:
    """kill -9 of a node that only follows."""
    for _ in range(TIMES * scene.rounds):
        _strike(scene, _follower(scene), _killed)


def partition(scene: Scene) -> None:
    """The node that leads the queue is cut off from the other two; clients reach all three.

    What is published to the minority meanwhile may be lost, but then it must not have been confirmed.
    """
    for _ in range(TIMES * scene.rounds):
        _strike(scene, _leader(scene), _cut_off, minority=True)


def rolling(scene: Scene) -> None:
    """Every node in turn is closed down in order and started again, as for an upgrade."""
    for node in scene.ground.cluster.nodes:
        _strike(scene, node, _stopped, share=100 / (len(scene.ground.cluster.nodes) + 1))


def _strike(
    scene: Scene,
    node: Node,
    broken: Callable[[Cluster, Node], object],
    *,
    minority: bool = False,
    share: float = 0.0,
) -> None:
    """Break the node in the middle of a flow of events, measure when they flow again, mend it."""
    ground, name = scene.ground.cluster, f"cluster/{scene.case.fault}"
    share = share or 84 / (TIMES * scene.rounds)
    flow = scene.driver.flow(scene.take(share * 0.7))
    half = scene.driver.published + scene.size * share * 0.3 / 100
    until(lambda: scene.driver.published >= half or not flow.running, "events flow", 30)
    with broken(ground, node):  # type: ignore[attr-defined]
        struck = time.monotonic()
        scene.fault(name)
        after = scene.take(share * 0.2)
        if minority:
            once = scene.take(share * 0.1)
            url = ground.url(_vhost(scene), node)
            scene.driver.publish(once, once=True, deadline=MINORITY_SECONDS, url=url)
        scene.driver.publish(after)
        scene.recovered(f"{name}, published", scene.driver.again(struck) - struck)
        scene.flows(name, struck, after, seconds=SECONDS)
    flow.join()
    if not ground.heal(node):
        scene.notes.append(f"{node.name} had to be started again")


@contextmanager
def _killed(ground: Cluster, node: Node) -> Iterator[None]:
    node.kill()
    try:
        yield
    finally:
        node.start()


@contextmanager
def _stopped(ground: Cluster, node: Node) -> Iterator[None]:
    node.stop()
    try:
        yield
    finally:
        node.start()


@contextmanager
def _frozen(ground: Cluster, node: Node) -> Iterator[None]:
    node.freeze()
    try:
        yield
    finally:
        node.kill()
        node.start()


def _cut_off(ground: Cluster, node: Node) -> object:
    return ground.cut_off(node)


def _leader(scene: Scene) -> Node:
    """Lets the node lead that the case is about."""
    ground, vhost = scene.ground.cluster, _vhost(scene)
    ours = _ours(scene)
    node = ours if scene.case.seed % 2 else scene.chance.choice([one for one in ground.nodes if one is not ours])
    ground.lead(vhost, node)
    return node


def _follower(scene: Scene) -> Node:
    """A node that does not lead: ours where the seed is odd, whoever leads then."""
    ground, vhost = scene.ground.cluster, _vhost(scene)
    ours = _ours(scene)
    others = [one for one in ground.nodes if one is not ours]
    if scene.case.seed % 2:
        ground.lead(vhost, scene.chance.choice(others))
        return ours
    ground.lead(vhost, ours)
    return scene.chance.choice(others)


def _ours(scene: Scene) -> Node:
    """The node that the importer consumes over."""
    found: list[Node] = []

    def consumed() -> bool:
        try:
            found.append(scene.ground.cluster.consumed_at(_vhost(scene)))
        except AssertionError:
            return False
        return True

    until(consumed, "somebody consumes", 30)
    return found[-1]


def _vhost(scene: Scene) -> str:
    return scene.system.broker_url.rpartition("/")[2]


FAULTS: Mapping[str, Callable[[Scene], None]] = {
    "leader-kill": leader_kill, "leader-freeze": leader_freeze, "follower-kill": follower_kill, "partition": partition,
    "rolling": rolling,
}  # fmt: skip
