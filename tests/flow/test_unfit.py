"""Every service ends in the same way where settings or schema do not fit: exit code 2, one line that names it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli.local.postgres import Postgres
from shared.db.migrate import migrate, pending
from shared.settings import PORTS
from tests.support.nursery import Process
from tests.support.sandbox import Stand
from tests.support.system import System, running
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]
SERVICES = tuple(PORTS)


@pytest.fixture
def system(tmp_path: Path, empty_database_url: str, stand: Stand) -> Iterator[System]:
    broker = "pgmq" + empty_database_url.removeprefix("postgresql")
    with running(System(tmp_path, empty_database_url, broker, stand)) as made:
        yield made


def assert_refused(system: System, started: dict[str, Process], says: str) -> None:
    codes = {service: process.wait(120) for service, process in started.items()}
    assert codes == dict.fromkeys(SERVICES, 2), {service: system.log_text(service)[-2000:] for service in SERVICES}
    for service in SERVICES:
        (line,) = [line for line in system.log(service) if line["level"] == "error"]
        assert line["event"] == "service.not-started"
        assert says in line["problems"], line
        assert "raceback" not in system.log_text(service)


def test_an_old_schema(system: System) -> None:
    lacking = pending(system.database_url)
    started = {service: system.start(service, service) for service in SERVICES}
    assert_refused(system, started, f"the database lacks {', '.join(lacking)}: run `connect migrate`")
    assert pending(system.database_url) == lacking, "no service changes the schema"


def test_a_schema_of_other_files(system: System) -> None:
    migrate(system.database_url)
    system.change("UPDATE schema_migrations SET checksum = 'another' WHERE number = 3")
    started = {service: system.start(service, service) for service in SERVICES}
    assert_refused(system, started, "was changed after it had been applied")


def test_a_wrong_setting(system: System) -> None:
    started = {service: system.start(service, service, lease_seconds="many") for service in SERVICES}
    assert_refused(system, started, "CONNECT_LEASE_SECONDS")


def test_an_old_schema_that_shows_only_later(tmp_path: Path, stand: Stand) -> None:
    server = Postgres(tmp_path / "postgres")
    server.start()
    url = server.url
    lacking = pending(url)
    server.stop()
    with running(System(tmp_path, url, "pgmq" + url.removeprefix("postgresql"), stand)) as system:
        started = {service: system.start(service, service) for service in SERVICES}
        for service in SERVICES:
            until(lambda name=service: "database.away" in system.log_text(name), f"{service} waits", 90)  # type: ignore[misc]
        server.start()
        try:
            assert_refused(system, started, f"the database lacks {lacking[0]}")
        finally:
            server.stop()
