"""Declares the topology, checks it, and counts what waits in it. The one owner of declarations: nobody else declares.

Called by `connect topology apply|check`, `connect up`, `connect doctor` and the tests.
"""

from __future__ import annotations

from shared.broker import address, apply_amqp, apply_pgmq
from shared.broker.topology import connect_topology


def apply(url: str) -> list[str]:
    """Declare everything; what is there already stays. Returns problems in plain sentences, [] when all is well.

    Raises BrokerGone when the broker cannot be reached or forbids it.
    """
    where = address.parse(url)
    if where.scheme == "pgmq":
        return apply_pgmq.apply(where, connect_topology())
    return apply_amqp.apply(where, connect_topology())


def check(url: str) -> list[str]:
    """What is missing or different, in plain sentences; changes nothing. Raises BrokerGone."""
    where = address.parse(url)
    if where.scheme == "pgmq":
        return apply_pgmq.check(where, connect_topology())
    return apply_amqp.check(where, connect_topology())


def depths(url: str) -> dict[str, int]:
    """How many messages of each queue are ready to be delivered; queues that are missing are left out.

    Raises BrokerGone.
    """
    where = address.parse(url)
    if where.scheme == "pgmq":
        return apply_pgmq.depths(where, connect_topology())
    return apply_amqp.depths(where, connect_topology())
