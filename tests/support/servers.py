"""The private PostgreSQL and RabbitMQ of a test run: each is started once, however many processes run tests.

The first process that asks starts the server, and waits at its end until nobody uses it any more. A process that dies
lets go by dying (the locks are the kernel's); if it was the starter, its servers die with it. A server that cannot be
had is a failure. CONNECT_TEST_DATABASE_URL and CONNECT_TEST_AMQP_URL name servers to use instead.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

from services.cli.local import cluster
from services.cli.local.postgres import Postgres
from services.cli.local.rabbitmq import RabbitMQ
from services.cli.local.rabbitmq_control import Control
from shared.db import roles
from shared.db.migrate import migrate

TEMPLATE = "connect_tests_migrated"
# Nobody looks at a crash of the shared server, but everybody makes and drops a database: without fsync that is cheap.
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "wal_level": "minimal", "max_wal_senders": "0"}
OTHERS_MAY_TAKE_SECONDS = 300.0

Started = tuple[dict[str, Any], Callable[[], None]]


def programs() -> Path:
    """Where unpacked servers are kept between runs."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "connect" / "programs"


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL whose user may make databases, and that holds the migrated TEMPLATE."""
    given = os.environ.get("CONNECT_TEST_DATABASE_URL")

    def start(folder: Path) -> Started:
        if given:
            _make_template(given)
            return {"url": given, "admin": given}, lambda: None
        server = Postgres(folder, options=NOT_DURABLE)
        server.start()
        _make_template(server.url)
        admin = cluster.url(folder, "connect_admin", server.port, "postgres")
        return {"url": server.url, "admin": admin}, server.stop

    with _once("postgres", start) as facts:
        yield facts["url"]


@contextmanager
def rabbitmq() -> Iterator[Control | None]:
    """What makes vhosts on the RabbitMQ of this run; None when CONNECT_TEST_AMQP_URL names one (with its vhost)."""
    if os.environ.get("CONNECT_TEST_AMQP_URL"):
        yield None
        return

    def start(folder: Path) -> Started:
        server = RabbitMQ(folder, programs=programs())
        server.start()
        return dataclasses.asdict(server.control), server.stop

    with _once("rabbitmq", start) as facts:
        yield Control(**facts)


@contextmanager
def database(server: str, name: str, template: str = TEMPLATE) -> Iterator[str]:
    """A database of its own on `server`, a copy of `template`; gone afterwards, whoever is still connected."""
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(server, autocommit=True) as conn:
            _drop(conn, name)


@contextmanager
def restricted(url: str) -> Iterator[dict[roles.Kind, str]]:
    """The roles of a database that lies on the server of this run, with what they may do: kind → URL."""
    parts = urlsplit(url)
    name = parts.path[1:]
    passwords: dict[roles.Kind, str] = {kind: f"{kind}'s \\word" for kind in roles.KINDS}
    with _administrator(name) as admin:
        roles.make(admin, name, passwords)
    migrate(url)
    found = {
        kind: parts._replace(
            netloc=f"{roles.role(name, kind)}:{quote(passwords[kind], safe='')}@{parts.netloc.rpartition('@')[2]}"
        ).geturl()
        for kind in roles.KINDS
    }
    try:
        yield found
    finally:
        forget_roles(name)


@contextmanager
def may_make_roles(database: str, user: str) -> Iterator[None]:
    """For a while `user` may; then the roles of `database` are gone."""
    with _administrator(database) as admin:
        admin.execute(sql.SQL("ALTER ROLE {} CREATEROLE").format(sql.Identifier(user)))
        try:
            yield
        finally:
            admin.execute(sql.SQL("ALTER ROLE {} NOCREATEROLE").format(sql.Identifier(user)))
            forget_roles(database)


def forget_roles(database: str) -> None:
    """Drop the roles of a database, with what they were granted there."""
    with _administrator(database) as admin:
        for name in roles.existing(admin).values():
            admin.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def _administrator(database: str) -> psycopg.Connection[tuple[object, ...]]:
    facts = _running(_home() / "postgres.json")
    assert facts is not None, "postgres() has to be there"
    return psycopg.connect(urlsplit(facts["admin"])._replace(path=f"/{database}").geturl(), autocommit=True)


def _drop(conn: psycopg.Connection[tuple[object, ...]], name: str) -> None:
    """Our sessions are ended here; what autovacuum has there, a plain DROP ends by itself and FORCE may not."""
    conn.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s AND usename = current_user",
        (name,),
    )
    conn.execute(f'DROP DATABASE IF EXISTS "{name}"')


@contextmanager
def lone(name: str) -> Iterator[None]:
    """Only one process of the run at a time."""
    with (_home() / f"{name}.lone").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make_template(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        _drop(conn, TEMPLATE)
        conn.execute(f'CREATE DATABASE "{TEMPLATE}"')
    migrate(urlsplit(url)._replace(path=f"/{TEMPLATE}").geturl())


def _home() -> Path:
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"alone-{os.getpid()}"
    home = Path(tempfile.gettempdir()) / f"connect-tests-{run}"
    # Root's PostgreSQL may have to run as somebody else, who passes through here to a folder of their own.
    home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, exist_ok=True)
    return home


@contextmanager
def _once(name: str, start: Callable[[Path], Started]) -> Iterator[dict[str, Any]]:
    home = _home()
    noted = home / f"{name}.json"
    with (home / f"{name}.gate").open("w") as gate, (home / f"{name}.users").open("w") as users:
        fcntl.flock(gate, fcntl.LOCK_EX)
        facts, stop = _running(noted), None
        if facts is None:
            shutil.rmtree(home / name, ignore_errors=True)
            facts, stop = start(home / name)
            noted.touch(mode=0o600)
            noted.write_text(json.dumps({"starter": os.getpid(), "facts": facts}))
        fcntl.flock(users, fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        try:
            yield facts
        finally:
            fcntl.flock(users, fcntl.LOCK_UN)
            if stop is not None:
                _await_last(gate, users)
                noted.unlink(missing_ok=True)
                stop()
                shutil.rmtree(home / name, ignore_errors=True)
                with suppress(OSError):
                    if not any(home.glob("*.json")):
                        shutil.rmtree(home)


def _running(noted: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(noted.read_text())
        os.kill(content["starter"], 0)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    facts: dict[str, Any] = content["facts"]
    return facts


def _await_last(gate: Any, users: Any) -> None:
    """Hold the gate once nobody uses the server; newcomers then start their own."""
    deadline = time.monotonic() + OTHERS_MAY_TAKE_SECONDS
    while True:
        fcntl.flock(gate, fcntl.LOCK_EX)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                return
            fcntl.flock(gate, fcntl.LOCK_UN)
            time.sleep(0.05)
