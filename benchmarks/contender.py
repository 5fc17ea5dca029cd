"""What the driver has to know about something that it measures. One small file beside this one makes each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pika

from benchmarks.orders import ROUTING_KEY
from benchmarks.servers import Place
from shared.broker.delivery import Fate, Message
from shared.broker.open import open_publisher

CHUNK = 1000
Arguments = Mapping[str, str | int]


def plain(body: bytes) -> Message:
    """An event as any marketplace sends it."""
    return Message(body, ROUTING_KEY)


@dataclass(frozen=True, slots=True)
class Contender:
    """name: `connect` is ours as it is delivered; what: one line for people; broker: `rabbitmq`, `cluster` (three
    nodes of it) or `pgmq`.

    commands: the processes for a job (`pipeline`, `latency`, `intake`, `claim`), none where the job is not for it. They
    get the place as CONNECT_DATABASE_URL and CONNECT_AMQP_URL. sessions: how many database sessions these processes
    have, at least, once they are ready. wrap: an event as it is published for this contender; queues: what is declared
    for it besides Connect's own topology; share: of the backlog, less for who is slower; peer: not ours; cores: how
    much of a core each process may use, None: what there is.
    """

    name: str
    what: str
    broker: str
    commands: Callable[[str], list[list[str]]]
    sessions: Callable[[str], int]
    wrap: Callable[[bytes], Message] = plain
    queues: Mapping[str, Arguments] = field(default_factory=dict)
    share: float = 1.0
    peer: bool = False
    cores: float | None = None

    def prepare(self, place: Place) -> None:
        """Declare its own queues."""
        if self.queues:
            with pika.BlockingConnection(pika.URLParameters(place.broker)) as connection:
                for name, arguments in self.queues.items():
                    connection.channel().queue_declare(name, durable=True, arguments=dict(arguments))

    def load(self, place: Place, bodies: Sequence[bytes]) -> None:
        """Publish persistently and confirmed. Raises RuntimeError unless all is confirmed."""
        publisher = open_publisher(place.broker, name="bench-publish")
        try:
            for start in range(0, len(bodies), CHUNK):
                fates = publisher.publish([self.wrap(body) for body in bodies[start : start + CHUNK]], 60.0)
                if any(fate is not Fate.CONFIRMED for fate in fates):
                    raise RuntimeError("the broker did not confirm all events")
        finally:
            publisher.close()

    def left(self, place: Place) -> dict[str, int]:
        """How many messages wait in its own queues."""
        if not self.queues:
            return {}
        with pika.BlockingConnection(pika.URLParameters(place.broker)) as connection:
            channel = connection.channel()
            return {name: channel.queue_declare(name, passive=True).method.message_count for name in self.queues}


def connect(name: str, what: str, broker: str, **roles: tuple[str, ...]) -> Contender:
    """A way to run Connect: for each job the roles (`intake`, `work`, `both`) of its processes."""

    def commands(job: str) -> list[list[str]]:
        return [[sys.executable, "-P", "-m", "benchmarks.connect_process", role] for role in roles.get(job, ())]

    def sessions(job: str) -> int:
        return sum(2 if role == "both" else 1 for role in roles.get(job, ()))

    return Contender(name, what, broker, commands, sessions)


def peer(
    name: str,
    what: str,
    commands: Sequence[Sequence[str]],
    sessions: int,
    wrap: Callable[[bytes], Message] = plain,
    queues: Mapping[str, Arguments] | None = None,
) -> Contender:
    """What somebody would build instead: one message at a time, both stages, on RabbitMQ."""

    def started(job: str) -> list[list[str]]:
        return (
            [[sys.executable, "-P", "-m", *command] for command in commands] if job in ("pipeline", "latency") else []
        )

    return Contender(
        name, what, "rabbitmq", started, lambda _job: sessions, wrap, queues or {"bench.erp": QUORUM}, 0.2, True
    )


QUORUM: Arguments = {"x-queue-type": "quorum"}
