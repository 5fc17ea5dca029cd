"""Rings the work loop's bell for every wake-up on the broker. Losing, doubling or reordering them does no harm."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from shared.broker.delivery import BrokerGone, Consumer
from shared.runtime.bell import Bell

RETURN_SECONDS = 2.0


def listen(
    open_consumer: Callable[[], Consumer],
    bell: Bell,
    *,
    beat: Callable[[], None],
    stopping: Callable[[], bool],
    pause: Callable[[float], None],
) -> None:
    """Until stopping. While the broker is away the work loop's own poll stands in."""
    log = structlog.get_logger()
    while not stopping():
        consumer = None
        try:
            consumer = open_consumer()
            while not stopping():
                beat()
                deliveries = consumer.collect(1.0)
                if deliveries:
                    bell.ring(*{delivery.body.decode("utf-8", "replace") for delivery in deliveries})
                    consumer.ack(deliveries)
        except BrokerGone as error:
            log.warning("wakeups.broker-gone", error=error)
            beat()
            pause(RETURN_SECONDS)
        finally:
            if consumer is not None:
                consumer.close()
