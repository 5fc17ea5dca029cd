"""Dramatiq: 2 processes with 8 threads each, the actors of `dramatiq_actors.py`."""

from __future__ import annotations

from uuid import uuid4

import orjson

from benchmarks.contender import Arguments, peer
from shared.broker.delivery import Message

THREADS = 8


def wrap(body: bytes) -> Message:
    """An event as a call of the first actor, in Dramatiq's own form."""
    call = {
        "queue_name": "store",
        "actor_name": "store",
        "args": [body.decode()],
        "kwargs": {},
        "options": {},
        "message_id": str(uuid4()),
        "message_timestamp": 0,
    }
    return Message(orjson.dumps(call), "store", exchange="", content_type="application/json")


def _queue(name: str) -> Arguments:
    return {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": f"{name}.XQ",
    }


CONTENDER = peer(
    "dramatiq",
    f"Dramatiq, 2 processes with {THREADS} threads",
    [["dramatiq", "benchmarks.peers.dramatiq_actors", "--processes", "2", "--threads", str(THREADS)]],
    sessions=2 * THREADS,
    wrap=wrap,
    queues={name: _queue(name) for name in ("store", "settle")},
)
