"""What goes out to and comes in from a broker, whichever broker it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as taken from a queue. `tag` belongs to the consumer that made it; `count` is 1 for the first time.

    origin says how it came: the queue for an ordinary delivery; for what lies in `<queue>.dead` or `connect.unrouted`
    the queue and the broker's reason, e.g. `order-imported.dead (delivery_limit)`.
    """

    body: bytes
    queue: str
    routing_key: str
    content_type: str | None
    origin: str
    count: int
    tag: Any


@dataclass(frozen=True, slots=True)
class Message:
    """A message to publish. exchange "" is the default exchange: routing_key is then the queue's name."""

    body: bytes
    routing_key: str
    exchange: str = "connect.events"
    content_type: str = "application/cloudevents+json"
    message_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Fate(StrEnum):
    """What the broker said about a published message. Everything but `confirmed` may be published again."""

    CONFIRMED = "confirmed"
    REFUSED = "refused"  # the broker said no (full, no leader); not stored
    UNKNOWN = "unknown"  # no word before the deadline or the connection; may be stored


class BrokerGone(Exception):
    """The broker cannot be used now; close and open again. Nothing that was not acked is lost."""


class Consumer(Protocol):
    """Takes messages from one or more queues. Belongs to the thread that opened it."""

    def collect(self, wait: float, limit: int = 250) -> list[Delivery]:
        """Wait up to `wait` seconds for a first message, then take what is there without lingering, up to `limit`.

        Raises BrokerGone. Returns [] when nothing came. Keeps heartbeats going.
        """
        ...

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker that these are done. Raises BrokerGone; they are then delivered again."""
        ...

    def close(self) -> None:
        """Give back what was not acked and close; never raises, never blocks longer than a few seconds."""
        ...


class Publisher(Protocol):
    """Publishes. Belongs to the thread that opened it; opens its connection by itself, again after a failure."""

    def publish(self, messages: Sequence[Message], deadline: float = 10.0) -> list[Fate]:
        """Publish persistently, pipelined; one fate per message, in order, within `deadline` seconds. Never raises for
        a broker that is away: the fates say so."""
        ...

    def wake(self, stage: str, interfaces: Sequence[str]) -> None:
        """Put one wake-up per interface on the work queue of the stage (`connect.wake.<stage>`, body = slug).

        Not confirmed, may be lost, never raises, never blocks longer than a second.
        """
        ...

    def close(self) -> None:
        """Close; never raises."""
        ...
