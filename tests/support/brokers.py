"""A broker as the contract suite sees it: a URL, what may differ from the other one, and a hand on its server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from services.cli.local.postgres import Postgres
from services.cli.local.rabbitmq import RabbitMQ
from shared.broker.delivery import BrokerGone, Consumer, Delivery
from shared.broker.open import open_consumer
from tests.support.servers import programs


@dataclass(frozen=True)
class Expect:
    """In what the two brokers differ, by name. Everything else must be the same."""

    redelivers_at_once: bool
    """When a consumer dies; else when the time is over for which a message that was read is hidden."""
    late_ack_counts: bool
    """An ack over a connection that is gone, or after that time, still removes the message."""
    moves_dead_letters: bool
    """Beyond the delivery limit a message goes to `<queue>.dead`; else it stays and its origin says so."""
    counts_unread: bool
    """A crash counts as a delivery also for what was prefetched and never looked at."""


RABBITMQ = Expect(redelivers_at_once=True, late_ack_counts=False, moves_dead_letters=True, counts_unread=True)
PGMQ = Expect(redelivers_at_once=False, late_ack_counts=True, moves_dead_letters=False, counts_unread=False)
HIDDEN_SECONDS = 2


@dataclass(frozen=True)
class Broker:
    """`url` hides messages on pgmq for HIDDEN_SECONDS only, so that tests need not wait half a minute."""

    url: str
    expect: Expect


def as_broker(url: str) -> Broker:
    """What is expected of the broker behind a URL."""
    if url.startswith("pgmq"):
        return Broker(f"{url}?visibility_timeout={HIDDEN_SECONDS}", PGMQ)
    return Broker(url, RABBITMQ)


class OwnServer:
    """A server that one test may freeze, kill and start again."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._rabbit = RabbitMQ(folder, programs=programs()) if kind == "rabbitmq" else None
        self._postgres = Postgres(folder) if kind == "pgmq" else None
        self.start()

    @property
    def broker(self) -> Broker:
        if self._rabbit:
            return as_broker(self._rabbit.url)
        assert self._postgres
        return as_broker("pgmq" + self._postgres.url.removeprefix("postgresql"))

    def start(self) -> None:
        (self._rabbit or self._postgres).start()  # type: ignore[union-attr]

    def kill(self) -> None:
        (self._rabbit or self._postgres).kill()  # type: ignore[union-attr]

    def stop(self) -> None:
        self.thaw()
        (self._rabbit or self._postgres).stop()  # type: ignore[union-attr]

    def freeze(self) -> None:
        """Connections stay open, and the kernel goes on answering TCP; nothing else happens."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def evaluate(self, expression: str) -> str:
        assert self._rabbit
        return self._rabbit.control.evaluate(expression)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):  # a backend may end by itself
                process.send_signal(number)

    def _processes(self) -> list[psutil.Process]:
        pid = (self._rabbit or self._postgres).pid  # type: ignore[union-attr]
        if pid is None:
            return []
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]


@contextmanager
def consuming(url: str, *queues: str, prefetch: int = 500) -> Iterator[Consumer]:
    """A consumer that is closed in any case."""
    consumer = open_consumer(url, queues, name="tests", prefetch=prefetch)
    try:
        yield consumer
    finally:
        consumer.close()


def gather(consumer: Consumer, number: int, seconds: float = 15.0) -> list[Delivery]:
    """Collect until `number` deliveries are there, or fail."""
    found: list[Delivery] = []
    deadline = time.monotonic() + seconds
    while len(found) < number:
        assert time.monotonic() < deadline, f"only {len(found)} of {number} deliveries after {seconds} s"
        found += consumer.collect(0.5, number - len(found))
    return found


def until_gone(action: Callable[[], object], seconds: float) -> float:
    """Repeat `action` until it raises BrokerGone; returns after how long."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        try:
            action()
        except BrokerGone:
            return time.monotonic() - begun
    raise AssertionError(f"the consumer did not notice within {seconds} s")


@contextmanager
def holder(url: str, queue: str, number: int) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds `number` deliveries, unacked; killed -9 at the end at the latest."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.brokers", url, queue, str(number)],
        stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2], env=dict(os.environ),
    )  # fmt: skip
    try:
        assert process.stdout
        assert process.stdout.readline().strip() == "holding"
        yield process
    finally:
        process.kill()
        process.wait(10)


def _hold(url: str, queue: str, number: str) -> None:
    with consuming(url, queue) as consumer:
        gather(consumer, int(number))
        sys.stdout.write("holding\n")
        sys.stdout.flush()
        sys.stdin.read()


def unique(number: int) -> Sequence[bytes]:
    """Bodies that can be told apart."""
    run = uuid.uuid4().hex
    return [f"{run} {index}".encode() for index in range(number)]


if __name__ == "__main__":
    _hold(*sys.argv[1:])
