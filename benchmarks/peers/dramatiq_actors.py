"""The actors, as `dramatiq benchmarks.peers.dramatiq_actors` wants them: a module that makes its broker when imported.

Dramatiq knows no quorum queues: one method is overridden for that. Its middleware (retries, limits) is left out.
"""

from __future__ import annotations

from typing import Any

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from benchmarks.peers.dramatiq_contender import THREADS
from benchmarks.peers.job import SETTLE, STORE, pool, settling, storing
from shared.settings import load


class QuorumBroker(RabbitmqBroker):
    """Declares quorum queues."""

    def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
        return {**super()._build_queue_arguments(queue_name), "x-queue-type": "quorum"}


settings = load()
broker = QuorumBroker(url=settings.broker(), confirm_delivery=True, middleware=[])
dramatiq.set_broker(broker)
sessions = pool(settings.database(), THREADS)


@dramatiq.actor(queue_name="store")
def store(text: str) -> None:
    """Stage 1."""
    with sessions.connection() as conn:
        conn.execute(STORE, storing(text.encode()))
    settle.send(text)


@dramatiq.actor(queue_name="settle")
def settle(text: str) -> None:
    """Stage 2."""
    with sessions.connection() as conn:
        conn.execute(SETTLE, settling(text.encode()))
