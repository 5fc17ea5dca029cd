"""Connect on RabbitMQ with a single importer: intake and work share one interpreter."""

from __future__ import annotations

from benchmarks.contender import connect

CONTENDER = connect(
    "connect-one-process",
    "1 importer, RabbitMQ quorum queues",
    "rabbitmq",
    pipeline=("both",),
)
