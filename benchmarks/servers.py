"""The private servers of a benchmark: PostgreSQL and, where asked for, RabbitMQ; a fresh database and vhost per run.

Called by the driver. Nothing is left behind: servers are stopped and their folder is removed.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from benchmarks.orders import INTERFACE, PAUSED
from benchmarks.stored import fill
from services.cli.local import cluster
from services.cli.local.postgres import Postgres
from services.cli.local.rabbitmq import RabbitMQ
from services.cli.local.rabbitmq_control import Control
from shared.broker.apply import apply
from shared.db.connect import connect
from shared.db.migrate import migrate
from shared.records.interfaces import NewSide, add_interface
from shared.seal import Seal
from tests.faults.cluster import Cluster
from tests.support.servers import programs

SECRET = "only for benchmarks, nothing is sealed with it"
TEMPLATE = "bench_template"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one run happens."""

    database: str
    broker: str


class Servers:
    """Use as a context manager. RabbitMQ is started when it is first needed."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.folder = Path(tempfile.mkdtemp(prefix="connect-bench-"))
        self.folder.chmod(0o711)
        self._postgres = Postgres(self.folder / "postgres", say=say)
        self._rabbitmq: RabbitMQ | None = None
        self._nodes: Cluster | None = None
        self._templates: set[str] = set()

    def __enter__(self) -> Servers:
        try:
            self._say("starting PostgreSQL")
            self._postgres.start()
            with self._admin() as conn:
                conn.execute(f'CREATE DATABASE "{TEMPLATE}" OWNER connect')
            migrate(self._url(TEMPLATE))
            with connect(self._url(TEMPLATE), "bench-driver") as conn:
                side = NewSide({}, {}, 1000.0)
                for slug, mode in ((INTERFACE, "live"), (PAUSED, "paused")):
                    add_interface(
                        conn, Seal(SECRET), slug=slug, title=slug, marketplace="none", erp="none", mode=mode,
                        marketplace_side=side, erp_side=side,
                    )  # fmt: skip
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for broker in (self._rabbitmq, self._nodes):
            if broker is not None:
                broker.stop()
        self._postgres.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def place(self, broker: str, stored: int = 0, paused: int = 0) -> Iterator[Place]:
        """A migrated database with the interfaces, and an empty broker (`rabbitmq`, `cluster`, `pgmq`) with its queues.

        stored, paused: how many orders are in the database, see `stored.fill`.
        """
        template = self._template(stored, paused)
        name = f"bench_{uuid.uuid4().hex[:12]}"
        with self._admin() as conn:
            conn.execute(f'CREATE DATABASE "{name}" OWNER connect TEMPLATE "{template}" STRATEGY file_copy')
            conn.execute("CHECKPOINT")  # so that no run pays for the one before
        database = self._url(name)
        control = self._control() if broker == "rabbitmq" else self._cluster() if broker == "cluster" else None
        url = control.vhost(name) if control else "pgmq" + database.removeprefix("postgresql")
        try:
            if problems := apply(url):
                raise RuntimeError("; ".join(problems))
            yield Place(database, url)
        finally:
            if control:
                control.drop([name])
            with self._admin() as conn:
                conn.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def slow_flush(self, place: Place, milliseconds: float) -> None:
        """From the next session on every commit in this database waits before it flushes, as on a slow disk."""
        name = urlsplit(place.database).path.strip("/")
        with self._admin() as conn:
            conn.execute(f'ALTER DATABASE "{name}" SET commit_siblings = 0')
            conn.execute(f'ALTER DATABASE "{name}" SET commit_delay = {int(milliseconds * 1000)}')

    def pids(self, broker: str) -> dict[str, list[int]]:
        """The processes of each server, for counting CPU."""
        nodes: list[RabbitMQ] = []
        if broker == "cluster" and self._nodes:
            nodes += self._nodes.nodes
        if broker == "rabbitmq" and self._rabbitmq:
            nodes.append(self._rabbitmq)
        return {"postgres": [self._postgres.pid or 0], "broker": [node.pid for node in nodes if node.pid]}

    def _template(self, stored: int, paused: int) -> str:
        """The database that a run's is copied from; made when it is first wanted."""
        if not stored and not paused:
            return TEMPLATE
        name = f"{TEMPLATE}_{stored}_{paused}"
        if name not in self._templates:
            self._say(f"storing {stored:,} orders that are done, {paused:,} that are due and paused")
            with self._admin() as conn:
                conn.execute(f'CREATE DATABASE "{name}" OWNER connect TEMPLATE "{TEMPLATE}"')
            with connect(self._url(name), "bench-driver") as conn:
                fill(conn, stored, paused)
            self._templates.add(name)
        return name

    def _control(self) -> Control:
        if self._rabbitmq is None:
            self._say("starting RabbitMQ")
            self._rabbitmq = RabbitMQ(self.folder / "rabbitmq", programs=programs(), say=self._say)
            self._rabbitmq.start()
        return self._rabbitmq.control

    def _cluster(self) -> Cluster:
        if self._nodes is None:
            self._say("starting three nodes of RabbitMQ")
            self._nodes = Cluster(self.folder / "cluster", programs(), gated=False)
            self._nodes.start()
        return self._nodes

    def _url(self, database: str) -> str:
        return urlsplit(self._postgres.url)._replace(path=f"/{database}").geturl()

    def _admin(self) -> psycopg.Connection[tuple[object, ...]]:
        url = cluster.url(self.folder / "postgres", "connect_admin", self._postgres.port, "postgres")
        return psycopg.connect(url, autocommit=True)
