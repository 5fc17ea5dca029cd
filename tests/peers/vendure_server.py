"""The real Vendure, started for tests: its modules from npm, its own PostgreSQL, a fresh database for each use.

The first use installs the pinned modules and fills a database, which takes minutes; both stay in `build/peers/vendure`,
and the next use copies the database in a second. Needs node and npm on the PATH.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import psycopg

from services.cli.local import ports
from services.cli.local.postgres import Postgres
from tests.peers.vendure_people import People
from tests.support.servers import NOT_DURABLE
from tests.support.waiting import until

PROJECT = Path(__file__).parents[2]
HOME = PROJECT / "build" / "peers" / "vendure"
SHOP = Path(__file__).with_name("vendure")
PASSWORD = "a-password-of-the-tests"
FIRST_SECONDS = 900.0
START_SECONDS = 600.0  # four on an idle machine


@dataclass
class Running:
    """A Vendure on a database of its own.

    settings: as an interface has them for this shop; people: what buyers and staff do there
    """

    address: str
    people: People
    settings: dict[str, Any] = field(repr=False)
    _command: list[str] = field(repr=False)
    _environment: Mapping[str, str] = field(repr=False)
    _log: Path = field(repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=dict(self._environment))
        until(self._answers, "Vendure answers", START_SECONDS)

    def kill(self) -> None:
        """As a crash would: SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)

    @property
    def skus(self) -> list[str]:
        """Every article that the shop sells."""
        return sorted(self.people.variants)

    def place(self, count: int) -> list[tuple[str, Decimal]]:
        """Place paid orders through the Shop API: (number, total). Articles, quantities and delivery differ."""
        return self.people.place(count)

    def state(self, number: str) -> str:
        """The state of an order."""
        return str(self.people.order(number)["state"])

    def stock(self, sku: str) -> int:
        """What the shop would still sell of an article."""
        return self.people.stock(sku)

    def shipments(self, number: str) -> list[tuple[str, str, int]]:
        """The parcels of an order that have left: (carrier, tracking number, pieces)."""
        return [
            (each["method"], each["trackingCode"], sum(line["quantity"] for line in each["lines"]))
            for each in self.people.order(number)["fulfillments"]
            if each["state"] in ("Shipped", "Delivered")
        ]

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"Vendure ended: {self._log.read_text()[-3000:]}"
        try:
            answer = httpx2.post(
                f"{self.address}/shop-api", json={"query": "{ __typename }"}, timeout=30, trust_env=False
            )
        except httpx2.TransportError:
            return False
        return answer.status_code == 200


@contextmanager
def real_vendure(folder: Path) -> Iterator[Running]:
    """A Vendure with nothing sold yet. `folder` takes its log."""
    folder.mkdir(parents=True, exist_ok=True)
    with _server() as (url, modules), _database(url, modules) as database:
        port = ports.any_free()
        address = f"http://127.0.0.1:{port}"
        people = People(address)
        environment = _environment(modules, database, port)
        command = [_program("node"), str(SHOP / "index.js")]
        running = Running(address, people, {}, command, environment, folder / "vendure.log")
        try:
            running.start()
            running.settings = {"base_url": address, "api_key": people.open(PASSWORD)}
            yield running
        finally:
            people.close()
            running.kill()


def _environment(modules: Path, database: str, port: int, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "NODE_PATH": str(modules / "node_modules"),
        "VENDURE_DATABASE_URL": database,
        "VENDURE_DISABLE_TELEMETRY": "true",
        "VENDURE_PASSWORD": PASSWORD,
        "VENDURE_PORT": str(port),
        **more,
    }


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"there is no {name}: the real Vendure needs node and npm"
    return found


@contextmanager
def _server() -> Iterator[tuple[str, Path]]:
    """Its PostgreSQL keeps the template from run to run; one run at a time uses it, and the modules."""
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        modules = _modules()
        server = Postgres(HOME / "postgres", options=NOT_DURABLE)
        server.start()
        try:
            yield server.url, modules
        finally:
            server.stop()


def _modules() -> Path:
    """The folder with `node_modules`, as the lock file says; installed anew when that changes."""
    lock_file = SHOP / "package-lock.json"
    whole = HOME / f"modules-{_mark(lock_file)}"
    if not whole.exists():
        # Under another name until it is whole: an interrupted one must not look finished.
        unfinished = HOME / "modules-unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        for path in (SHOP / "package.json", lock_file):
            shutil.copy(path, unfinished)
        # Scripts stay out: what they would compile is for other databases.
        _run([_program("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], unfinished, dict(os.environ))
        unfinished.rename(whole)
    return whole


@contextmanager
def _database(url: str, modules: Path) -> Iterator[str]:
    template = _template(url, modules)
    name = f"run_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    try:
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _template(url: str, modules: Path) -> str:
    """A filled database; made anew when versions or goods change."""
    name = f"filled_{_mark(*sorted(SHOP.glob('*.*')))}"
    with psycopg.connect(url, autocommit=True) as conn:
        if conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            return name
        conn.execute('DROP DATABASE IF EXISTS "unfinished" WITH (FORCE)')
        conn.execute('CREATE DATABASE "unfinished"')
    database = urlsplit(url)._replace(path="/unfinished").geturl()
    environment = _environment(modules, database, ports.any_free(), VENDURE_SYNCHRONIZE="yes")
    _run([_program("node"), "populate.js"], SHOP, environment)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f'ALTER DATABASE "unfinished" RENAME TO "{name}"')
    return name


def _mark(*paths: Path) -> str:
    return hashlib.sha256(b"|".join(path.read_bytes() for path in paths)).hexdigest()[:12]


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=FIRST_SECONDS, check=False
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-1500:]} {done.stderr[-3000:]}"
