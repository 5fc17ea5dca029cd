"""The drill "To a point in time" of docs/operations.md: archived under load, emptied by mistake, and restored."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from services.cli.local import cluster
from services.cli.local.postgres import Postgres
from shared.db.migrate import migrate
from tests.support.drill import documented, inherit, lines, own, typed
from tests.support.sandbox import Stand, sandbox
from tests.support.system import System, order_event, running
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(400)]

SECTION = "To a point in time"
BEFORE, AROUND, AFTER = 40, 60, 40
KEPT = ("events", "arrivals", "records", "payloads", "transitions", "attempts")
"""Compared row by row: what came in, and what became of it."""

Rows = dict[str, list[str]]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    folder.mkdir()
    return folder


@pytest.fixture
def server(tmp_path: Path, archive: Path) -> Iterator[Postgres]:
    """A server of the test's own that archives as the page says."""
    made = Postgres(tmp_path / "one")
    made.start()
    made.stop()
    with (made.folder / "data" / "postgresql.conf").open("a") as settings:
        settings.write(lines(SECTION, "archive_mode", ARCHIVE=str(archive)))
    own(archive)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    """Of each test its own: what the ERP holds is compared as a whole."""
    with sandbox(tmp_path / "sandbox") as made:
        made.settings("xentral", search_lag=0)
        yield made


def admin(server: Postgres) -> str:
    return cluster.url(server.folder, "connect_admin", server.port, "postgres")


def rows(conn: psycopg.Connection[tuple[str]]) -> Rows:
    """Every row of what is kept, as text."""
    return {
        table: sorted(row[0] for row in conn.execute(f'SELECT t::text FROM "{table}" t'.encode()).fetchall())
        for table in KEPT
    }


def the_moment(server: Postgres) -> tuple[str, Rows]:
    """A moment while orders come in, and all that was committed by then.

    The lock is had when whoever wrote records has committed, and while it is held nobody else can, so that the rows are
    those of the moment exactly.
    """
    with psycopg.connect(server.url) as conn:
        conn.execute("LOCK TABLE records IN SHARE MODE")
        return typed(SECTION, "clock_timestamp", ADMIN_URL=admin(server)).strip(), rows(conn)


def test_restored_to_a_moment_under_load(
    tmp_path: Path, server: Postgres, archive: Path, amqp_url: str, stand: Stand
) -> None:
    backup, restored = tmp_path / "backup", tmp_path / "two"
    numbers = [f"order-{n:03}" for n in range(BEFORE + AROUND + AFTER)]
    with running(System(tmp_path, server.url, amqp_url, stand)) as system:
        system.prepare()
        system.start()
        system.publish([order_event(number) for number in numbers[:BEFORE]])
        until(lambda: system.states()["done"] > 5, "the load has begun", 60)
        documented("pg_basebackup", BACKUP=str(backup), ADMIN_URL=admin(server))

        system.until_settled(BEFORE)
        system.publish([order_event(number) for number in numbers[BEFORE : BEFORE + AROUND]])
        until(lambda: system.states()["done"] > BEFORE + 5, "orders come in around the moment", 60)
        moment, then = the_moment(server)
        system.publish([order_event(number) for number in numbers[BEFORE + AROUND :]])
        system.until_settled(len(numbers))
        assert system.ledger() == dict.fromkeys(numbers, 1)

        system.end()
        with psycopg.connect(server.url) as mistake:
            mistake.execute("TRUNCATE records CASCADE")
        wanted = typed(SECTION, "pg_switch_wal", ADMIN_URL=admin(server)).strip()
        until(lambda: _archived(server) >= wanted, "the rest is archived", 60)
        server.kill()
        shutil.rmtree(server.folder / "data")

        inherit(server, restored)
        typed(SECTION, "recovery.signal", BACKUP=str(backup), DATA=str(restored / "data"))
        with (restored / "data" / "postgresql.conf").open("a") as settings:
            settings.write(lines(SECTION, "recovery_target_time", ARCHIVE=str(archive), MOMENT=moment))
        own(restored)
        other = Postgres(restored)
        other.start()
        try:
            _goes_on(system, other, then, numbers)
        finally:
            other.stop()
        assert "00000002.history" in {path.name for path in archive.iterdir()}, "the archive goes on, on a new line"


def _archived(server: Postgres) -> str:
    """The newest segment that is in the archive, as the page has it looked at; "" for none."""
    printed = typed(SECTION, "pg_stat_archiver", ADMIN_URL=admin(server))
    newest, _, failed, _ = (cell.strip() for cell in printed.splitlines()[2].split("|"))
    assert failed == "0", printed
    return newest.partition(".")[0]


def _goes_on(system: System, other: Postgres, then: Rows, numbers: list[str]) -> None:
    system.database_url = other.url
    until(lambda: _paused(other), "the moment is reached", 60)
    with psycopg.connect(other.url) as conn:
        assert rows(conn) == then, "what was committed before the moment, all of it, and nothing later"
    assert str(len(then["transitions"])) in typed(SECTION, "max(at)", OWNER_URL=other.url)
    typed(SECTION, "pg_wal_replay_resume", ADMIN_URL=admin(other))
    until(lambda: not _recovers(other), "it can be written", 60)
    assert migrate(other.url) == []

    # Some of these were claimed at the moment: they are looked up before anything is created.
    states = system.states()
    assert states["running"] + states["pending"], "the moment was under load"
    there = states.total()
    system.start("again")
    system.until_settled(there)
    assert system.ledger() == dict.fromkeys(numbers, 1)
    system.publish([order_event(number) for number in numbers])
    system.until_settled(len(numbers))
    until(lambda: _arrived(system) >= len(numbers) + there, "all of it came again", 60)
    assert set(system.states()) <= {"done", "skipped"}
    assert system.states().total() == len(numbers)
    assert system.ledger() == dict.fromkeys(numbers, 1), "created once"
    system.assert_books_balance()
    system.assert_history_has_no_gaps()


def _paused(other: Postgres) -> bool:
    with psycopg.connect(admin(other)) as conn:
        return conn.execute("SELECT pg_get_wal_replay_pause_state()").fetchone() == ("paused",)


def _recovers(other: Postgres) -> bool:
    with psycopg.connect(other.url) as conn:
        return conn.execute("SELECT pg_is_in_recovery()").fetchone() != (False,)


def _arrived(system: System) -> int:
    ((count,),) = system.query("SELECT coalesce(sum(inputs), 0) FROM arrivals")
    return int(count)


def test_a_segment_is_archived_whole_and_never_written_over(tmp_path: Path, archive: Path) -> None:
    (line,) = [
        one for one in lines(SECTION, "archive_mode", ARCHIVE=str(archive)).splitlines() if one.startswith("archive_c")
    ]
    given = line.partition(" = '")[2].removesuffix("'")
    segment = tmp_path / "segment"

    def archived(content: bytes) -> int:
        segment.write_bytes(content)
        command = given.replace("%p", shlex.quote(str(segment))).replace("%f", "000000010000000000000001")
        return subprocess.run(["sh", "-c", command], timeout=60, check=False).returncode

    assert archived(b"one") == 0
    assert archived(b"one") == 0, "said again after a crash"
    assert archived(b"two") != 0
    assert {path.name: path.read_bytes() for path in archive.iterdir()} == {"000000010000000000000001": b"one"}
