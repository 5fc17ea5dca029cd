"""Services that start before their database wait for it: one line says so, none ends, and all begin once it answers.

The service of alarms does not wait: it has to say that the database is away.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from services.cli.local.ports import any_free
from services.cli.local.postgres import Postgres
from shared.broker.apply import apply
from shared.db.migrate import migrate
from tests.support.sandbox import Stand
from tests.support.system import System, running
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]
SERVICES = ("importer", "exporter", "stock", "journal", "alerts")
WAITING = ("importer", "exporter", "stock", "journal")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    postgres = Postgres(tmp_path / "postgres")
    postgres.start()
    yield postgres
    postgres.stop()


@pytest.fixture
def system(server: Postgres, tmp_path: Path, stand: Stand) -> Iterator[System]:
    broker_url = "pgmq" + server.url.removeprefix("postgresql")
    migrate(server.url)
    assert apply(broker_url) == []
    with running(System(tmp_path, server.url, broker_url, stand)) as system:
        yield system


def answers(port: int, path: str) -> int:
    return httpx2.get(f"http://127.0.0.1:{port}{path}", timeout=10, trust_env=False).status_code


def test_services_wait_for_their_database_and_say_so_once(server: Postgres, system: System) -> None:
    server.stop()
    ports = {name: any_free() for name in SERVICES}
    for name in SERVICES:
        system.start(name, name, metrics_port=str(ports[name]))
    for name in SERVICES:
        until(lambda name=name: "database.away" in system.log_text(name), f"{name} says that it waits", 90)  # type: ignore[misc]
    told = {name: (answers(ports[name], "/livez"), answers(ports[name], "/readyz")) for name in WAITING}
    assert told == dict.fromkeys(WAITING, (200, 503))
    system.start("ended", "stock")
    until(lambda: "database.away" in system.log_text("ended"), "one more waits", 60)
    assert system.end("ended") == 0, "whoever waits can be stopped"
    server.start()
    for name in SERVICES:
        until(lambda name=name: answers(ports[name], "/readyz") == 200, f"{name} is ready", 90)  # type: ignore[misc]
    assert [name for name, process in system.processes.items() if process.poll() is not None] == []
    for name in SERVICES:
        assert system.end(name) == 0, system.log_text(name)[-2000:]
    for name in WAITING:
        said = [line["event"] for line in system.log(name)]
        assert said.count("database.away") == 1, said
        assert said.index("database.away") < said.index("service.started")
    for name in (*SERVICES, "ended"):
        assert "raceback" not in system.log_text(name)
        assert all(line[:1] == "{" for line in system.log_text(name).splitlines()), system.log_text(name)[:2000]
        assert [line for line in system.log(name) if line["level"] == "error"] == []
