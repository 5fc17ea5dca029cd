"""Connect on RabbitMQ with intake and work in processes of their own."""

from __future__ import annotations

from benchmarks.contender import connect

CONTENDER = connect(
    "connect-apart",
    "1 process for intake, 1 for work, RabbitMQ quorum queues",
    "rabbitmq",
    pipeline=("intake", "work"),
)
