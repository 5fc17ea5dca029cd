"""The real Tryton, started for tests: its own Python environment, its own PostgreSQL, a fresh database for each use.

`make test-peers` puts the environment into `build/peers/tryton/venv`. The first use makes a database and seeds it,
which takes minutes; it stays as a template, and the next use copies it in a second.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import psycopg

from services.cli.local import ports
from services.cli.local.postgres import Postgres
from tests.peers.tryton_people import People
from tests.peers.tryton_rpc import Rpc
from tests.peers.tryton_seed import PASSWORD
from tests.support.servers import NOT_DURABLE
from tests.support.waiting import until

PROJECT = Path(__file__).parents[2]
HOME = PROJECT / "build" / "peers" / "tryton"
PROGRAMS = HOME / "venv" / "bin"
SEED = Path(__file__).with_name("tryton_seed.py")
PINS = PROJECT / "requirements" / "peers-tryton.txt"
MODULES = ("sale_shipment_cost", "stock_package_shipping", "web_shop", "account_invoice_stock")
ADMIN = "an-admin-password-of-the-tests"
FIRST_SECONDS = 900.0


@dataclass
class Running:
    """A trytond on a database of its own.

    settings, mappings: as an interface has them for this Tryton; ids: of what was seeded; people: what they do there.
    """

    address: str
    settings: dict[str, Any]
    mappings: dict[str, dict[str, str]]
    ids: Mapping[str, int]
    people: People
    database: str
    _configuration: Path = field(repr=False)
    _log: Path = field(repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self, *, processing: bool = True) -> None:
        """Start it, and wait until it answers. processing off: confirmed sales wait for workers that nobody started."""
        command = [str(PROGRAMS / "trytond"), "-c", str(self._configuration)]
        worker = {} if processing else {"TRYTOND_queue__worker": "True"}
        with self._log.open("ab") as log:
            environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": str(HOME), **worker}
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        until(self._answers, f"trytond answers: {self._log.read_text()[-2000:]}", 120)

    def kill(self) -> None:
        """As a crash would: SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)

    def add_goods(self, skus: Iterable[str]) -> None:
        """New articles that can be sold at once."""
        self.people.add_goods(skus)

    def calls(self) -> int:
        """How many calls it has answered since it first started."""
        return self._log.read_text(errors="replace").count("?operation=")

    def set_stock(self, quantities: Mapping[str, float]) -> None:
        """Somebody counts: so many of each SKU lie in the warehouse."""
        self.people.set_stock(quantities)

    def ship(self, number: str, tracking: str, quantities: Mapping[str, float] | None = None) -> None:
        """The order, or so many of these SKUs, leaves in one package."""
        self.people.ship(number, tracking, quantities)

    def orders(self) -> list[dict[str, Any]]:
        """Every sale: reference, state, total_amount, shipments."""
        return self.people.orders()

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"trytond ended: {self._log.read_text()[-3000:]}"
        body = {"id": 1, "method": "common.server.version", "params": []}
        try:
            return httpx2.post(f"{self.address}/", json=body, timeout=30, trust_env=False).status_code == 200
        except httpx2.TransportError:
            return False


@contextmanager
def real_tryton(folder: Path) -> Iterator[Running]:
    """A Tryton with nothing sold yet. `folder` takes its configuration and its log."""
    assert (PROGRAMS / "trytond").exists(), "there is no Tryton: run `make test-peers`"
    folder.mkdir(parents=True, exist_ok=True)
    with _server() as url, _database(url) as (name, ids):
        port = ports.any_free()
        address = f"http://127.0.0.1:{port}"
        configuration = _configuration(folder, url, port)
        rpc = Rpc(address, name, "admin", ADMIN, ids["company"])
        settings = {
            "base_url": address, "database": name, "user": "connect", "password": PASSWORD,
            **{part: ids[part] for part in ("company", "web_shop", "warehouse")},
        }  # fmt: skip
        running = Running(
            address, settings, _mappings(ids), ids, People(rpc, ids), name, configuration, folder / "trytond.log"
        )
        try:
            running.start()
            yield running
        finally:
            rpc.close()
            running.kill()


def _mappings(ids: Mapping[str, int]) -> dict[str, dict[str, str]]:
    return {
        "payment": {"INVOICE_SINGLE": str(ids["payment_term"])},
        "shipping": {"DELIVERY_FEE_STANDARD": str(ids["carrier"])},
        "tax": {"19.0": str(ids["tax_19"]), "7.0": str(ids["tax_7"])},
        "setting": {
            "customer": str(ids["customer"]), "shipping-article": "VERSAND", "discount-article": "RABATT",
        },
    }  # fmt: skip


def _configuration(folder: Path, url: str, port: int) -> Path:
    path = folder / "trytond.conf"
    path.touch(mode=0o600)
    server = urlsplit(url)._replace(path="/").geturl()
    path.write_text(f"[database]\nuri = {server}\n[web]\nlisten = 127.0.0.1:{port}\n")
    return path


@contextmanager
def _server() -> Iterator[str]:
    """Its PostgreSQL keeps the template from run to run; one run at a time uses it."""
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = Postgres(HOME / "postgres", options={**NOT_DURABLE, "full_page_writes": "off"})
        server.start()
        try:
            yield server.url
        finally:
            server.stop()


@contextmanager
def _database(url: str) -> Iterator[tuple[str, dict[str, int]]]:
    template, ids = _template(url)
    name = f"run_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as conn:
        # Nobody else is here: what a run that was killed left behind may go.
        for (left,) in conn.execute("SELECT datname FROM pg_database WHERE datname LIKE 'run%'").fetchall():
            conn.execute(f'DROP DATABASE IF EXISTS "{left}" WITH (FORCE)')
        conn.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    try:
        yield name, ids
    finally:
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _template(url: str) -> tuple[str, dict[str, int]]:
    """Made anew when versions, modules or seed change, and once a month: fiscal years come to an end."""
    facts = (PINS.read_bytes(), SEED.read_bytes(), "".join(MODULES).encode(), f"{datetime.now(UTC):%Y-%m}".encode())
    name = f"seeded_{hashlib.sha256(b'|'.join(facts)).hexdigest()[:12]}"
    noted = HOME / f"{name}.json"
    with psycopg.connect(url, autocommit=True) as conn:
        there = conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if there and noted.exists():
            return name, json.loads(noted.read_text())
        conn.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        # Under another name until it is whole: an interrupted one must not look finished.
        conn.execute('DROP DATABASE IF EXISTS "unfinished" WITH (FORCE)')
        conn.execute('CREATE DATABASE "unfinished"')
    with tempfile.TemporaryDirectory() as folder:
        configuration = _configuration(Path(folder), url, 1)
        secret = Path(folder) / "password"
        secret.write_text(ADMIN)
        admin = [str(PROGRAMS / "trytond-admin"), "-c", str(configuration), "-d", "unfinished"]
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC", "TRYTONPASSFILE": str(secret)}
        _run([*admin, "--all", "--email", "tryton@example.org"], environment)
        _run([*admin, "-u", *MODULES, "--activate-dependencies"], environment)
        seeded = _run([str(PROGRAMS / "python"), str(SEED), "unfinished", str(configuration)], environment)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f'ALTER DATABASE "unfinished" RENAME TO "{name}"')
    noted.write_text(seeded)
    ids: dict[str, int] = json.loads(seeded)
    return name, ids


def _run(command: list[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=FIRST_SECONDS, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stderr[-3000:]}"
    return done.stdout
