"""Exchanges, queues and bindings as plain data, and what follows from them without asking a broker.

Read by `apply` (declares and checks them), by `definitions` (writes them for RabbitMQ) and by the publisher for pgmq,
which routes by them. Everything here exists in RabbitMQ 3.10 to 4.x; 4.3 refuses transient shared queues, lazy mode
and a global prefetch, so there are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Argument = str | int

EVENTS_EXCHANGE = "connect.events"
UNROUTED = "connect.unrouted"
DEAD_EXCHANGE = "connect.dead"
PROBE = "connect.probe"
EVENTS = ("order-imported", "order-changed", "stock-changed")
STAGES = ("erp", "marketplace", "stock")

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""RabbitMQ 4's own limit; older ones take more, but nothing that is larger is published."""

DELIVERY_LIMIT = 50
"""A fuse against messages that kill their consumer, not a retry policy: retries live in Postgres."""

# What is in a last resort must never run out of deliveries: RabbitMQ 4 would drop it after 20. Before 4 a queue
# does not know the word for "no limit" (-1), so it is a number that nobody reaches.
NO_DELIVERY_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange."""

    name: str
    type: str
    arguments: Mapping[str, Argument] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue. `fleeting` ones hold wake-ups: they are bounded, and what is in them may be lost."""

    name: str
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    fleeting: bool = False


@dataclass(frozen=True, slots=True)
class Binding:
    """What arrives at `exchange` with a routing key like `key` goes to `queue`."""

    exchange: str
    queue: str
    key: str


@dataclass(frozen=True, slots=True)
class Topology:
    """All of it. Names are unique."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]

    def queue_names(self) -> list[str]:
        """The names of all queues."""
        return [queue.name for queue in self.queues]

    def route(self, exchange: str, key: str) -> list[str]:
        """The queues that a message reaches; [] when none. Raises KeyError for an exchange that is not here."""
        if exchange == "":
            return [key] if key in self.queue_names() else []
        known = {candidate.name: candidate for candidate in self.exchanges}[exchange]
        reached = sorted({binding.queue for binding in self.bindings if _reaches(known, binding, key)})
        alternate = known.arguments.get("alternate-exchange")
        return self.route(str(alternate), key) if not reached and alternate else reached


def wake_queue(stage: str) -> str:
    """The queue of a stage's wake-ups."""
    return f"connect.wake.{stage}"


def dead_queue(queue: str) -> str:
    """Where a queue's dead letters are."""
    return f"{queue}.dead"


def event_of(queue: str) -> str | None:
    """The event whose queue, or dead letter queue, this is."""
    event = queue.removesuffix(".dead")
    return event if event in EVENTS else None


def connect_topology() -> Topology:
    """The topology of Connect."""
    last_resort: dict[str, Argument] = {"x-queue-type": "quorum", "x-delivery-limit": NO_DELIVERY_LIMIT}
    wake: dict[str, Argument] = {"x-queue-type": "classic", "x-max-length": 1000, "x-message-ttl": 60_000}
    return Topology(
        exchanges=(
            Exchange(EVENTS_EXCHANGE, "topic", {"alternate-exchange": UNROUTED}),
            Exchange(UNROUTED, "fanout"),
            Exchange(DEAD_EXCHANGE, "direct"),
        ),
        queues=(
            *(Queue(event, _work(event)) for event in EVENTS),
            *(Queue(dead_queue(event), last_resort) for event in EVENTS),
            Queue(UNROUTED, last_resort),
            *(Queue(wake_queue(stage), wake, fleeting=True) for stage in STAGES),
            Queue(PROBE, wake, fleeting=True),
        ),
        bindings=(
            *(Binding(EVENTS_EXCHANGE, event, f"{event}.#") for event in EVENTS),
            *(Binding(DEAD_EXCHANGE, dead_queue(event), dead_queue(event)) for event in EVENTS),
            Binding(UNROUTED, UNROUTED, ""),
        ),
    )


def _work(event: str) -> dict[str, Argument]:
    # at-least-once: a dead letter is removed only when its new queue has confirmed it; RabbitMQ wants reject-publish
    # for that. By default dead letters may be lost on their way.
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD_EXCHANGE,
        "x-dead-letter-routing-key": dead_queue(event),
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def _reaches(exchange: Exchange, binding: Binding, key: str) -> bool:
    if binding.exchange != exchange.name:
        return False
    if exchange.type == "fanout":
        return True
    if exchange.type == "direct":
        return binding.key == key
    return _matches(binding.key.split("."), key.split("."))


def _matches(pattern: list[str], words: list[str]) -> bool:
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(_matches(pattern[1:], words[skip:]) for skip in range(len(words) + 1))
    return bool(words) and pattern[0] in ("*", words[0]) and _matches(pattern[1:], words[1:])
