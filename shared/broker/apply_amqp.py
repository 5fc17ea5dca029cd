"""Declares and checks the topology on RabbitMQ. Called by `apply`.

AMQP has no way to read arguments or bindings. Whether a queue that exists has other arguments shows when it is
declared again; bindings that somebody removed come back with the next `apply`, but a check cannot see them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pika
import pika.exceptions
from pika.adapters.blocking_connection import BlockingChannel
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from shared.broker.address import Address
from shared.broker.amqp_session import parameters
from shared.broker.delivery import BrokerGone
from shared.broker.topology import Exchange, Queue, Topology

Step = Callable[[BlockingChannel], object]
NOT_FOUND, REFUSED, OTHER_ARGUMENTS = 404, 403, 406
NODE_AWAY = "is down or inaccessible"
"""What RabbitMQ says of a classic queue whose node of the cluster is away."""


def apply(address: Address, topology: Topology) -> list[str]:
    """See `apply.apply`."""
    problems = []
    with connected(address) as connection:
        steps: list[tuple[str, Step]] = [
            *((f"exchange {exchange.name}", _declare_exchange(exchange)) for exchange in topology.exchanges),
            *((f"queue {queue.name}", _declare_queue(queue)) for queue in topology.queues),
        ]
        for binding in topology.bindings:
            bind = _binding(binding.queue, binding.exchange, binding.key)
            steps.append((f"binding of {binding.exchange} to {binding.queue}", bind))
        for what, step in steps:
            if problem := _try(connection, what, step):
                problems.append(problem)
    return problems


def check(address: Address, topology: Topology) -> list[str]:
    """See `apply.check`."""
    problems = []
    with connected(address) as connection:
        for exchange in topology.exchanges:
            problems += _look(
                connection, f"exchange {exchange.name}", _see_exchange(exchange), _declare_exchange(exchange)
            )
        for queue in topology.queues:
            found = _look(connection, f"queue {queue.name}", _see_queue(queue.name), _declare_queue(queue))
            # Wake-ups may be lost, so their queues live on one node of a cluster, and it may be away.
            problems += [problem for problem in found if not (queue.fleeting and NODE_AWAY in problem)]
    return problems


def depths(address: Address, topology: Topology) -> dict[str, int]:
    """See `apply.depths`."""
    found = {}
    with connected(address) as connection:
        for queue in topology.queues:
            try:
                channel = connection.channel()
                found[queue.name] = int(channel.queue_declare(queue.name, passive=True).method.message_count)
                channel.close()
            except pika.exceptions.ChannelClosedByBroker:
                continue
    return found


def _look(connection: pika.BlockingConnection, what: str, see: Step, declare: Step) -> list[str]:
    problem = _try(connection, what, see)
    if problem is None:
        # It is there, so declaring it again makes nothing; it only compares. Who may not declare cannot compare.
        problem = _try(connection, what, declare, ignore=REFUSED)
    return [problem] if problem else []


def _try(connection: pika.BlockingConnection, what: str, step: Step, ignore: int | None = None) -> str | None:
    """Run one step on a channel of its own, since an error closes the channel. Returns the problem, or None."""
    try:
        channel = connection.channel()
        step(channel)
        channel.close()
    except pika.exceptions.ChannelClosedByBroker as error:
        if error.reply_code == ignore:
            return None
        if error.reply_code == NOT_FOUND and NODE_AWAY in error.reply_text:
            return f"The {what} cannot be used: its node {NODE_AWAY}."
        if error.reply_code == NOT_FOUND:
            return f"The {what} is missing: `connect topology apply` makes it."
        if error.reply_code == OTHER_ARGUMENTS:
            kind = what.split()[0]
            return (
                f"The {what} exists with other settings than Connect's ({error.reply_text}). "
                f"Move its messages away, delete the {kind}, then run `connect topology apply`."
            )
        if error.reply_code == REFUSED:
            return f"The user may not declare the {what}: run `connect topology apply` as one who has configure rights."
        return f"The {what} could not be declared: {error.reply_text}."
    return None


def _declare_exchange(exchange: Exchange) -> Step:
    return lambda channel: channel.exchange_declare(
        exchange.name, exchange.type, durable=True, arguments=dict(exchange.arguments)
    )


def _declare_queue(queue: Queue) -> Step:
    return lambda channel: channel.queue_declare(queue.name, durable=True, arguments=dict(queue.arguments))


def _see_exchange(exchange: Exchange) -> Step:
    return lambda channel: channel.exchange_declare(exchange.name, exchange.type, passive=True)


def _see_queue(name: str) -> Step:
    return lambda channel: channel.queue_declare(name, passive=True)


def _binding(queue: str, exchange: str, key: str) -> Step:
    return lambda channel: channel.queue_bind(queue, exchange, key)


@contextmanager
def connected(address: Address) -> Iterator[pika.BlockingConnection]:
    """A connection for looking and declaring. Raises BrokerGone, also for what goes wrong within."""
    connection = None
    try:
        connection = pika.BlockingConnection([parameters(node, "connect-topology") for node in address.each()])
        yield connection
    except (pika.exceptions.AMQPError, AMQPConnectorException, OSError) as error:
        raise BrokerGone(f"The broker at {address} cannot be used: {type(error).__name__} {error}".strip()) from error
    finally:
        if connection is not None and connection.is_open:
            connection.close()
