"""The topology as RabbitMQ's definitions file, for `load_definitions` or an import.

`python -m shared.broker.definitions > deploy/rabbitmq/definitions.json` writes it; a test fails when that file is
stale. Users are not in it: no secret is committed.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from shared.broker.topology import Topology, connect_topology


def definitions(topology: Topology, vhost: str = "connect") -> dict[str, Any]:
    """The topology in one vhost, in the form that RabbitMQ exports and imports."""
    return {
        "vhosts": [{"name": vhost}],
        "exchanges": [
            {
                "name": exchange.name,
                "vhost": vhost,
                "type": exchange.type,
                "durable": True,
                "auto_delete": False,
                "internal": False,
                "arguments": dict(exchange.arguments),
            }
            for exchange in topology.exchanges
        ],
        "queues": [
            {
                "name": queue.name,
                "vhost": vhost,
                "durable": True,
                "auto_delete": False,
                "arguments": dict(queue.arguments),
            }
            for queue in topology.queues
        ],
        "bindings": [
            {
                "source": binding.exchange,
                "vhost": vhost,
                "destination": binding.queue,
                "destination_type": "queue",
                "routing_key": binding.key,
                "arguments": {},
            }
            for binding in topology.bindings
        ],
    }


def text(vhost: str = "connect") -> str:
    """What the committed file holds."""
    return json.dumps(definitions(connect_topology(), vhost), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
