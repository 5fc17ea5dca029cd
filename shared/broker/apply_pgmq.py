"""Installs pgmq as plain SQL into a PostgreSQL and makes the queues. Called by `apply`.

The SQL is that of the `pgmq` package, which is pinned: it has no way to be upgraded in place. Bindings are written the
way kombu's transport looks for them, so that a kombu producer from outside reaches the queues.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from pgmq.install import get_embedded_install_sql
from psycopg import sql

from shared.broker.address import Address
from shared.broker.delivery import BrokerGone
from shared.broker.pgmq_link import Link, drop_link, entity, open_link, table
from shared.broker.topology import EVENTS_EXCHANGE, UNROUTED, Topology
from shared.db.roles import grant_queues

# How kombu's transport writes an exchange into one word of a pgmq routing key: "." becomes "-d-".
PREFIX = f"kombu.topic.{EVENTS_EXCHANGE.replace('.', '-d-')}"
SECONDS = 30.0

# pgmq drops what no binding matches; on RabbitMQ that is what the alternate exchange is for. The original keeps its
# work under another name.
ALTERNATE = """
ALTER FUNCTION pgmq.send_topic(text, jsonb, jsonb, integer) RENAME TO send_topic_matching;
CREATE FUNCTION pgmq.send_topic(routing_key text, msg jsonb, headers jsonb, delay integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    reached integer := pgmq.send_topic_matching(routing_key, msg, headers, delay);
BEGIN
    IF reached = 0 AND starts_with(routing_key, {prefix}) THEN
        PERFORM pgmq.send({unrouted}, msg, headers, delay);
        RETURN 1;
    END IF;
    RETURN reached;
END;
$$;
"""


def apply(address: Address, topology: Topology) -> list[str]:
    """See `apply.apply`."""
    with connected(address) as link, link.transaction():
        # Two services that start at once must not install at once.
        link.execute("SELECT pg_advisory_xact_lock(hashtext('connect.pgmq'))")
        there = _exists(link, "to_regclass('pgmq.meta')")
        if there and not _may_declare(link):
            return _problems(link, topology)
        if not there:
            link.execute(get_embedded_install_sql().encode())
        for queue in topology.queues:
            made = link.execute("SELECT FROM pgmq.meta WHERE queue_name = %s", (entity(queue.name),)).fetchone()
            if made is None:
                create = "SELECT pgmq.create_unlogged(%s)" if queue.fleeting else "SELECT pgmq.create(%s)"
                link.execute(create, (entity(queue.name),))
                # A queue's table is small and all churn: a share of its rows is no measure for when to clean it.
                link.execute(
                    sql.SQL(
                        "ALTER TABLE {} SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)"
                    ).format(table(queue.name))
                )
        for pattern, queue_name in _bindings(topology):
            link.execute("SELECT pgmq.bind_topic(%s, %s)", (pattern, queue_name))
        if not _has_alternate(link):
            link.execute(
                sql.SQL(ALTERNATE).format(prefix=sql.Literal(f"{PREFIX}."), unrouted=sql.Literal(entity(UNROUTED)))
            )
        grant_queues(link)
    return []


def check(address: Address, topology: Topology) -> list[str]:
    """See `apply.check`."""
    with connected(address) as link:
        return _problems(link, topology)


def depths(address: Address, topology: Topology) -> dict[str, int]:
    """See `apply.depths`."""
    with connected(address) as link:
        have = made(link)
        found = {}
        for name in topology.queue_names():
            if entity(name) in have:
                row = link.execute("SELECT queue_visible_length FROM pgmq.metrics(%s)", (entity(name),)).fetchone()
                found[name] = int(row[0]) if row else 0
        return found


def made(link: Link) -> set[str]:
    """The queues that are there, as pgmq calls them."""
    if not _exists(link, "to_regclass('pgmq.meta')"):
        return set()
    return {row[0] for row in link.execute("SELECT queue_name FROM pgmq.meta")}


def _problems(link: Link, topology: Topology) -> list[str]:
    if not _exists(link, "to_regclass('pgmq.meta')"):
        return ["The database holds no broker yet: `connect topology apply` makes it."]
    have = {row[0] for row in link.execute("SELECT queue_name FROM pgmq.meta")}
    problems = [
        f"The queue {queue.name} is missing: `connect topology apply` makes it."
        for queue in topology.queues
        if entity(queue.name) not in have
    ]
    bound = {(row[0], row[1]) for row in link.execute("SELECT pattern, queue_name FROM pgmq.topic_bindings")}
    problems += [
        f"The binding of {EVENTS_EXCHANGE} to {queue} is missing: `connect topology apply` makes it."
        for pattern, queue in _bindings(topology)
        if (pattern, queue) not in bound
    ]
    if not _has_alternate(link):
        problems.append(f"Unroutable messages do not reach {UNROUTED}: `connect topology apply` mends it.")
    return problems


def _bindings(topology: Topology) -> list[tuple[str, str]]:
    """Patterns and queues. In AMQP `#` is also no word at all, here it is one or more: hence two for each."""
    return [
        (f"{PREFIX}.{pattern}", entity(binding.queue))
        for binding in topology.bindings
        if binding.exchange == EVENTS_EXCHANGE
        for pattern in dict.fromkeys((binding.key, binding.key.removesuffix(".#")))
    ]


def _may_declare(link: Link) -> bool:
    return link.execute("SELECT has_schema_privilege('pgmq', 'CREATE')").fetchone() == (True,)


def _has_alternate(link: Link) -> bool:
    return _exists(link, "to_regproc('pgmq.send_topic_matching')")


def _exists(link: Link, expression: str) -> bool:
    row = link.execute(f"SELECT {expression} IS NOT NULL".encode()).fetchone()
    return bool(row and row[0])


@contextmanager
def connected(address: Address) -> Iterator[Link]:
    """A connection for looking and declaring. Raises BrokerGone, also for what goes wrong within."""
    link = None
    try:
        link = open_link(address, "connect-topology").within(SECONDS)
        yield link
    except psycopg.Error as error:
        raise BrokerGone(f"The broker at {address} cannot be used: {' '.join(str(error).split())}") from error
    finally:
        if link is not None:
            drop_link(link)
