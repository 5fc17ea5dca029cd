"""Connect on RabbitMQ as it is delivered: two importers, each with intake and work on threads of its own."""

from __future__ import annotations

from benchmarks.contender import connect

CONTENDER = connect(
    "connect",
    "2 importers, RabbitMQ quorum queues",
    "rabbitmq",
    pipeline=("both", "both"),
    latency=("both", "both"),
    intake=("intake", "intake"),
    claim=("work", "work"),
    growth=("both", "both"),
    memory=("both",),
)
