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
    looks: list[tuple[str, Step, Step]] = [
        *((f"exchange {one.name}", _see_exchange(one), _declare_exchange(one)) for one in topology.exchanges),
        *((f"queue {one.name}", _see_queue(one.name), _declare_queue(one)) for one in topology.queues),
    ]
    fleeting = {f"queue {one.name}" for one in topology.queues if one.fleeting}
    problems = []
    compare = True
    with connected(address) as connection:
        for what, see, declare in looks:
            problem = _try(connection, what, see)
            if problem is None and compare:
                # It is there, so declaring it again makes nothing; it only compares. Who may not declare cannot
                # compare, and is refused once instead of each time: the broker logs it as an error.
                problem = _try(connection, what, declare)
                if problem == _may_not(what):
                    problem, compare = None, False
            # Wake-ups may be lost, so their queues live on one node of a cluster, and it may be away.
            if problem and not (what in fleeting and NODE_AWAY in problem):
                problems.append(problem)
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


def _may_not(what: str) -> str:
    return f"The user may not declare the {what}: run `connect topology apply` as one who has configure rights."


def _try(connection: pika.BlockingConnection, what: str, step: Step) -> str | None:
    """Run one step on a channel of its own, since an error closes the channel. Returns the problem, or None."""
    try:
        channel = connection.channel()
        step(channel)
        channel.close()
    except pika.exceptions.ChannelClosedByBroker as error:
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
            return _may_not(what)
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
