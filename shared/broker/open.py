"""Opens what consumes and what publishes, by the scheme of CONNECT_AMQP_URL. Called by services' `__main__.py`."""

from __future__ import annotations

from collections.abc import Sequence

from shared.broker import address
from shared.broker.delivery import Consumer, Publisher


def open_consumer(url: str, queues: Sequence[str], *, name: str, prefetch: int = 500) -> Consumer:
    """Connect and consume `queues`; `prefetch` is per queue. `name` is what the broker's tools show.

    Raises BrokerGone (also when a queue is missing), ValueError for a URL that is none.
    """
    where = address.parse(url)
    if where.scheme == "pgmq":
        from shared.broker.consume_pgmq import PgmqConsumer

        return PgmqConsumer(where, queues, name=name, prefetch=prefetch)
    from shared.broker.consume_amqp import AmqpConsumer

    return AmqpConsumer(where, queues, name=name, prefetch=prefetch)


def open_publisher(url: str, *, name: str) -> Publisher:
    """A publisher; it connects when it is first used. Raises ValueError for a URL that is none."""
    where = address.parse(url)
    if where.scheme == "pgmq":
        from shared.broker.publish_pgmq import PgmqPublisher

        return PgmqPublisher(where, name=name)
    from shared.broker.publish_amqp import AmqpPublisher

    return AmqpPublisher(where, name=name)
