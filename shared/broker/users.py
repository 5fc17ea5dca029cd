"""RabbitMQ's users and what each may do, as data beside the topology, and in the form that RabbitMQ imports.

| user                 | may                                                                              |
|----------------------|----------------------------------------------------------------------------------|
| `<vhost>-publisher`  | put events into the exchange of events; nothing else                             |
| `<vhost>-services`   | take from Connect's queues, put in events and wake-ups; declare and delete nothing |
| `<vhost>-declarer`   | declare what the topology names: `connect topology apply`                        |
| `<vhost>-monitoring` | look at the figures of the management plugin; no message                         |

Read by `connect topology users`, by `connect up` and by the tests; compose makes them with that command.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.broker.topology import EVENTS_EXCHANGE, Topology, connect_topology

Kind = Literal["publisher", "services", "declarer", "monitoring"]
KINDS: tuple[Kind, ...] = ("publisher", "services", "declarer", "monitoring")

NOTHING = "^$"
DEFAULT_EXCHANGE = "amq.default"  # what permissions call the exchange without a name

# Far more than Connect needs, and few enough that a client gone wild does not take the whole node along.
LIMITS = {"max-connections": 500, "max-queues": 100}


@dataclass(frozen=True, slots=True)
class User:
    """One user: three patterns, as RabbitMQ reads them; without a vhost there are only tags."""

    kind: Kind
    configure: str = NOTHING
    write: str = NOTHING
    read: str = NOTHING
    tags: tuple[str, ...] = ()
    in_vhost: bool = True


def users(topology: Topology) -> tuple[User, ...]:
    """All of them."""
    queues = topology.queue_names()
    everything = _any_of([*(exchange.name for exchange in topology.exchanges), *queues])
    return (
        User("publisher", write=_any_of([EVENTS_EXCHANGE])),
        # Wake-ups and trials of a flow go straight to their queue, through the exchange that has no name.
        User("services", write=_any_of([DEFAULT_EXCHANGE, EVENTS_EXCHANGE]), read=_any_of(queues)),
        # To bind takes reading the exchange and writing to the queue; dead letters the same the other way round.
        User("declarer", configure=everything, write=everything, read=everything),
        User("monitoring", tags=("monitoring",), in_vhost=False),
    )


def name(vhost: str, kind: Kind) -> str:
    """What a user is called. Users are the node's, hence the vhost's name in theirs; that of `/` is connect."""
    return f"{'connect' if vhost == '/' else vhost}-{kind}"


def definitions(vhost: str, passwords: Mapping[Kind, str]) -> dict[str, Any]:
    """The users that have a password here, their rights and the vhost's limits, as RabbitMQ imports them.

    Passwords are in it as salted hashes. What else is in the broker stays as it is.
    """
    wanted = [user for user in users(connect_topology()) if user.kind in passwords]
    return {
        "vhosts": [{"name": vhost}],
        "users": [
            {
                "name": name(vhost, user.kind),
                "password_hash": password_hash(passwords[user.kind]),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": list(user.tags),
            }
            for user in wanted
        ],
        "permissions": [
            {
                "user": name(vhost, user.kind),
                "vhost": vhost,
                "configure": user.configure,
                "write": user.write,
                "read": user.read,
            }
            for user in wanted
            if user.in_vhost
        ],
        "parameters": [{"component": "vhost-limits", "vhost": vhost, "name": "limits", "value": dict(LIMITS)}],
    }


def password_hash(password: str) -> str:
    """As RabbitMQ keeps it: a random salt of four bytes, then SHA-256 of salt and password."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _any_of(names: Iterable[str]) -> str:
    return f"^({'|'.join(one.replace('.', chr(92) + '.') for one in dict.fromkeys(names))})$"
