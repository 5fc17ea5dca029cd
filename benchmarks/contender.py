"""What the driver has to know about something that it measures. One small file beside this one makes each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.orders import ROUTING_KEY
from benchmarks.servers import Place
from shared.broker.delivery import Fate, Message
from shared.broker.open import open_publisher

CHUNK = 1000


def publish(place: Place, bodies: Sequence[bytes]) -> None:
    """Publish persistently and confirmed, as any upstream system would. Raises RuntimeError unless all is confirmed."""
    publisher = open_publisher(place.broker, name="bench-publish")
    try:
        for start in range(0, len(bodies), CHUNK):
            fates = publisher.publish([Message(body, ROUTING_KEY) for body in bodies[start : start + CHUNK]], 60.0)
            if any(fate is not Fate.CONFIRMED for fate in fates):
                raise RuntimeError("the broker did not confirm all events")
    finally:
        publisher.close()


@dataclass(frozen=True, slots=True)
class Contender:
    """name: `connect` is ours as it is delivered; what: one line for people; broker: `rabbitmq` or `pgmq`.

    commands: the processes for a job (`pipeline`, `latency`, `intake`, `claim`), none where the job is not for it. They
    get the place as CONNECT_DATABASE_URL and CONNECT_AMQP_URL. sessions: how many database sessions these processes
    have, at least, once they are ready. load: puts a backlog of events where the processes take them from.
    """

    name: str
    what: str
    broker: str
    commands: Callable[[str], list[list[str]]]
    sessions: Callable[[str], int]
    load: Callable[[Place, Sequence[bytes]], None] = publish


def connect(name: str, what: str, broker: str, **roles: tuple[str, ...]) -> Contender:
    """A way to run Connect: for each job the roles (`intake`, `work`, `both`) of its processes."""

    def commands(job: str) -> list[list[str]]:
        return [[sys.executable, "-P", "-m", "benchmarks.connect_process", role] for role in roles.get(job, ())]

    def sessions(job: str) -> int:
        return sum(2 if role == "both" else 1 for role in roles.get(job, ()))

    return Contender(name, what, broker, commands, sessions)
