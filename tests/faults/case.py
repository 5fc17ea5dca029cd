"""The cases: what is broken, how, over which broker, with which seed. All that is random in a case follows from it.

An id such as `crash/work.called/kill/rabbitmq/3` is the whole case: the same id is the same events and timing.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from shared.failpoint import NAMES

POINTS = tuple(sorted(name for name in NAMES if name.startswith(("intake.", "work.", "poll.", "fetch."))))
"""Those of the importer; those of the flows back are killed in `test_crash_points_back.py`."""

ACTIONS = ("kill", "raise", "stop")
BROKERS = ("rabbitmq", "pgmq")
BROKER_FAULTS = {
    "rabbitmq": ("restart", "kill", "freeze", "cut", "disk-alarm", "consumer-timeout", "queue-deleted"),
    "pgmq": ("cut", "queue-deleted"),
}
DATABASE_FAULTS = ("restart", "kill", "freeze")
CLUSTER_FAULTS = ("leader-kill", "leader-freeze", "follower-kill", "partition", "rolling")
FAILOVER_FAULTS = ("kill", "switch")
INTAKE_FAULTS = ("away",)
ALONE = ("database", "cluster", "failover", "intake")
ERP_FAULTS = (
    "timeout_after_success", "500_after_success", "reset", "429", "429_retry_after", "500", "503", "hang", "truncated",
    "html",
)  # fmt: skip
EVENTS = 3_600
"""Of a case, unless somebody asks for another number: two seeds of every case make more than a million."""

FEW_EVENTS = 300
"""Of a case of the short share."""


@dataclass(frozen=True, slots=True)
class Case:
    """kind: the nemesis; fault: what of it; seed: which draw."""

    kind: str
    fault: str
    broker: str
    seed: int

    @property
    def id(self) -> str:
        """Names the case."""
        return f"{self.kind}/{self.fault}/{self.broker}/{self.seed}"

    @property
    def tag(self) -> str:
        """Begins every order number of the case."""
        return f"f{sha256(self.id.encode()).hexdigest()[:10]}"

    @property
    def alone(self) -> bool:
        """Whether no other case may run beside it: a recovery in seconds would say how busy the others are."""
        return self.kind in ALONE

    @property
    def place(self) -> str:
        """Which system it needs: the broker, and what is special about it or the database."""
        return {"cluster": "cluster", "failover": f"{self.broker}, pair"}.get(self.kind, self.broker)

    def chance(self) -> random.Random:
        """The case's own dice, the same each time."""
        return random.Random(self.id)

    def shard(self, of: int) -> int:
        """Which of so many shards it belongs to."""
        return zlib.crc32(self.id.encode()) % of


def parse(text: str) -> Case:
    """A case from its id. Raises ValueError."""
    kind, *fault, broker, seed = text.split("/")
    return Case(kind, "/".join(fault), broker, int(seed))


def matrix(seeds: int, first: int = 1) -> Iterator[Case]:
    """Every fault on every broker where it makes sense, so many times each; `first` is the first seed."""
    for seed in range(first, first + seeds):
        for broker in BROKERS:
            for point in POINTS:
                for action in ACTIONS:
                    yield Case("crash", f"{point}/{action}", broker, seed)
            for fault in BROKER_FAULTS[broker]:
                yield Case("broker", fault, broker, seed)
            for fault in DATABASE_FAULTS:
                yield Case("database", fault, broker, seed)
            for fault in FAILOVER_FAULTS:
                yield Case("failover", fault, broker, seed)
            for fault in ERP_FAULTS:
                yield Case("erp", fault, broker, seed)
        for fault in CLUSTER_FAULTS:
            yield Case("cluster", fault, "rabbitmq", seed)
        for fault in INTAKE_FAULTS:
            yield Case("intake", fault, "rabbitmq", seed)


def quick() -> Iterator[Case]:
    """The share that runs with every change: each kind of fault once, the brokers in turn."""
    chosen = (
        "crash/intake.committed/kill/pgmq/1", "crash/work.called/kill/rabbitmq/1", "crash/work.called/stop/rabbitmq/1",
        "crash/poll.published/kill/pgmq/1", "broker/kill/rabbitmq/1", "database/kill/rabbitmq/1",
        "erp/timeout_after_success/pgmq/1", "cluster/leader-kill/rabbitmq/1", "failover/kill/rabbitmq/1",
        "intake/away/rabbitmq/1",
    )  # fmt: skip
    return map(parse, chosen)
