"""The ground that cases stand on: a PostgreSQL and a RabbitMQ of one worker, and systems that live for many cases.

The servers are durable as in production, so that killing them means something.
"""

from __future__ import annotations

import signal
import tempfile
import uuid
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg

from services.cli.local.postgres import Postgres
from services.cli.local.rabbitmq import RabbitMQ, RabbitMQDidNotStart
from services.cli.local.rabbitmq_control import Control
from shared.broker.address import parse
from shared.broker.apply_amqp import connected
from tests.faults.cluster import Cluster
from tests.faults.gate import Gate
from tests.faults.pair import Pair
from tests.support.sandbox import sandbox
from tests.support.servers import database, programs
from tests.support.system import System, running

WEAR = 8640
"""Events after which a system is replaced: what it holds makes each look at it slower."""

STARTS = 3
HIDDEN_SECONDS = 4
CLUSTER, PAIR = "cluster", "pair"
WATCHED = (
    "order-imported", "order-imported.dead", "order-changed", "order-changed.dead", "stock-changed",
    "stock-changed.dead", "connect.unrouted",
)  # fmt: skip


class Ground:
    """Servers are started when they are first needed; `close` ends all of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self._systems: dict[str, tuple[System, ExitStack, int]] = {}
        self._postgres: Postgres | None = None
        self._rabbit: RabbitMQ | None = None
        self._cluster: Cluster | None = None
        self._pair: Pair | None = None

    @property
    def postgres(self) -> Postgres:
        """The worker's own server."""
        if self._postgres is None:
            options = {"max_connections": "400", "shared_buffers": "256MB"}
            self._postgres = Postgres(self.folder / "postgres", options=options)
            self._postgres.start()
            self._stack.callback(self._postgres.stop)
        self._postgres.start()  # a case that failed may have left it dead
        return self._postgres

    @property
    def rabbit(self) -> RabbitMQ:
        """The worker's own node."""
        if self._rabbit is None:
            for turn in range(STARTS):
                rabbit = RabbitMQ(self.folder / f"rabbitmq-{turn}", programs=programs())
                try:
                    rabbit.start()
                    break
                except RabbitMQDidNotStart:  # somebody else may have taken the port that was free a moment ago
                    if turn + 1 == STARTS:
                        raise
            self._rabbit = rabbit
            self._stack.callback(rabbit.stop)
        self._rabbit.start()
        return self._rabbit

    @property
    def cluster(self) -> Cluster:
        """The worker's own three nodes, whole."""
        if self._cluster is None:
            self._cluster = Cluster(Path(tempfile.mkdtemp(prefix="cluster-", dir=self.folder)), programs())
        self._cluster.start()
        return self._cluster

    @property
    def pair(self) -> Pair:
        """The worker's own PostgreSQL with a standby."""
        if self._pair is None:
            folder = Path(tempfile.mkdtemp(prefix="pair-", dir=self.folder))
            folder.chmod(0o711)
            self._pair = Pair(folder)
        self._pair.start()
        return self._pair

    def system(self, place: str, events: int) -> System:
        """A prepared system without processes: the one of the last case, or a new one where that is worn out.

        place: see `Case.place`; events: how many the case will leave in it.
        """
        system, stack, worn = self._systems.pop(place, (None, None, WEAR))
        if system is None or stack is None or worn >= WEAR:
            if stack is not None:
                stack.close()
            system, stack, worn = *self.new(place), 0
        self._systems[place] = (system, stack, worn + events)
        return system

    def abandon(self, place: str) -> None:
        """After a failed case nothing of its system is trusted any more."""
        _, stack, _ = self._systems.pop(place, (None, None, 0))
        if stack is not None:
            with suppress(Exception):
                stack.close()
        if place == CLUSTER and self._cluster is not None:
            self._cluster.stop()
            self._cluster = None
        if place.endswith(PAIR) and self._pair is not None:
            for other in [other for other in self._systems if other.endswith(PAIR)]:
                _, stack, _ = self._systems.pop(other)
                with suppress(Exception):
                    stack.close()
            self._pair.stop()
            self._pair = None

    def close(self) -> None:
        """End all of it."""
        for place in list(self._systems):
            self.abandon(place)
        self._stack.close()

    def depths(self, system: System) -> dict[str, int]:
        """Messages in each watched queue; of RabbitMQ only those that no consumer holds."""
        if system.broker_url.startswith("pgmq"):
            with psycopg.connect(system.database_url, autocommit=True) as conn:
                names = {queue: f"pgmq.q_{queue.replace('-', '_').replace('.', '_')}" for queue in WATCHED}
                return {
                    queue: int(conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # type: ignore[index]
                    for queue, table in names.items()
                }
        with connected(parse(system.broker_url)) as connection:
            channel = connection.channel()
            return {queue: channel.queue_declare(queue, passive=True).method.message_count for queue in WATCHED}

    def frozen(self, server: Postgres | RabbitMQ) -> Frozen:
        """Stop the clock of a server until it is thawed."""
        assert server.pid is not None
        first = psutil.Process(server.pid)
        return Frozen([first, *first.children(recursive=True)])

    def gate(self, server: Postgres | RabbitMQ) -> Gate:
        """A gate in front of a server."""
        return Gate(server.port)

    def new(self, place: str) -> tuple[System, ExitStack]:
        """A prepared system that no case shares; it ends with the stack."""
        stack = ExitStack()
        name = f"f{uuid.uuid4().hex[:12]}"
        folder = self.folder / name
        folder.mkdir()
        broker, _, special = place.partition(", ")
        server = self.pair.url if special == PAIR else self.postgres.url
        url = stack.enter_context(database(server, name, template="template0"))
        if broker == CLUSTER:
            broker_url = self.cluster.vhost(name)
            stack.callback(self._drop_vhost, name, self.cluster)
        elif broker == "rabbitmq":
            broker_url = self.rabbit.vhost(name)
            stack.callback(self._drop_vhost, name, self.rabbit.control)
        else:
            broker_url = f"pgmq{url.removeprefix('postgresql')}?visibility_timeout={HIDDEN_SECONDS}"
        stand = stack.enter_context(sandbox(folder / "sandbox", log=folder / "sandbox.log"))
        system = stack.enter_context(running(System(folder, url, broker_url, stand)))
        system.prepare()
        return system, stack

    def _drop_vhost(self, name: str, owner: Control | Cluster) -> None:
        with suppress(Exception):
            owner.drop([name])


class Frozen:
    """Processes that stand still; as a context they go on at its end."""

    def __init__(self, processes: list[psutil.Process]) -> None:
        self._processes = processes
        self._signal(signal.SIGSTOP)

    def __enter__(self) -> Frozen:
        return self

    def __exit__(self, *_: object) -> None:
        self.thaw()

    def thaw(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes:
            with suppress(psutil.NoSuchProcess):  # a backend may end by itself
                process.send_signal(number)


def through(url: str, port: int) -> str:
    """The same address at another port of this machine: that of a gate."""
    parts = urlsplit(url)
    who, _, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{who}@127.0.0.1:{port}").geturl()
