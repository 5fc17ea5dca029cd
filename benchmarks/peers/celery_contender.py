"""Celery: 2 workers with 8 threads each, the tasks of `celery_tasks.py`."""

from __future__ import annotations

from uuid import uuid4

import orjson

from benchmarks.contender import QUORUM, peer
from shared.broker.delivery import Message

THREADS = 8
_WORKER = ["celery", "--app", "benchmarks.peers.celery_tasks", "worker", "--pool", "threads", "--loglevel", "ERROR"]
_ALONE = ["--concurrency", str(THREADS), "--without-gossip", "--without-mingle", "--without-heartbeat"]


def wrap(body: bytes) -> Message:
    """An event as a call of the first task, in Celery's own form (version 2)."""
    name = str(uuid4())
    return Message(
        orjson.dumps([[body.decode()], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]),
        "celery.store",
        exchange="",
        content_type="application/json",
        headers={"lang": "py", "task": "store", "id": name, "root_id": name},
    )


CONTENDER = peer(
    "celery",
    f"Celery, 2 workers with {THREADS} threads",
    [[*_WORKER, *_ALONE, "--hostname", f"bench{n}@%h"] for n in (1, 2)],
    sessions=2 * THREADS,
    wrap=wrap,
    queues={"celery.store": QUORUM, "celery.settle": QUORUM},
)
