"""The private PostgreSQL: any user starts it in any folder, it recovers from a crash and leaves with its starter."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from services.cli.local import identity, ports
from services.cli.local.leftover import processes_in
from services.cli.local.postgres import Postgres, PostgresDidNotStart
from tests.support.waiting import gone, until

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[2]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    postgres = Postgres(tmp_path / "a folder with spaces" / "postgres")
    postgres.start()
    yield postgres
    postgres.stop()


def rows(server: Postgres) -> int:
    with psycopg.connect(server.url) as db:
        answer = db.execute("SELECT count(*) FROM kept").fetchone()
    assert answer is not None
    return int(answer[0])


def keep_a_row(server: Postgres) -> None:
    with psycopg.connect(server.url) as db:
        db.execute("CREATE TABLE IF NOT EXISTS kept (i int)")
        db.execute("INSERT INTO kept VALUES (1)")


def test_a_second_start_has_the_data_and_the_port(server: Postgres) -> None:
    keep_a_row(server)
    url, pid = server.url, server.pid
    server.stop()
    assert not server.alive()
    assert pid is not None
    assert gone(pid)
    again = Postgres(server.folder)
    again.start()
    try:
        assert again.url == url
        assert rows(again) == 1
    finally:
        again.stop()


def test_it_starts_again_after_a_crash(server: Postgres) -> None:
    keep_a_row(server)
    with psycopg.connect(server.url, autocommit=True) as busy:
        busy.execute("SELECT 1")
        server.kill()
        server.start()
    assert rows(server) == 1


def test_a_pid_file_that_names_a_stranger_does_not_stop_it(server: Postgres) -> None:
    server.kill()
    until(lambda: not processes_in(server.folder / "data"), "its backends are gone")
    file = server.folder / "data" / "postmaster.pid"
    file.write_text("\n".join([str(os.getpid()), *file.read_text().split("\n")[1:]]))
    server.start()
    assert server.alive()


def test_a_taken_port_moves(server: Postgres) -> None:
    server.stop()
    with socket.create_server((ports.LOOPBACK, server.port)) as squatter:
        server.start()
        assert server.port != squatter.getsockname()[1]


def test_only_who_reads_the_folder_gets_in(server: Postgres) -> None:
    wrong = server.url.replace(server.url.split(":")[2].split("@")[0], "guess")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(wrong, connect_timeout=5).close()
    for path in (server.folder, server.folder / "data"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for name in ("password", "admin-password", "port", "log"):
        assert stat.S_IMODE((server.folder / name).stat().st_mode) == 0o600


def test_it_keeps_what_it_promised(server: Postgres) -> None:
    wanted = {"fsync": "on", "synchronous_commit": "on", "track_commit_timestamp": "on", "jit": "off"}
    wanted |= {"data_checksums": "on", "server_encoding": "UTF8", "max_connections": "200"}
    with psycopg.connect(server.url) as db:
        for name, value in wanted.items():
            assert db.execute("SELECT current_setting(%s)", (name,)).fetchone() == (value,), name
        assert db.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)


def test_data_of_another_release_is_refused_in_plain_words(server: Postgres) -> None:
    server.stop()
    (server.folder / "data" / "PG_VERSION").write_text("12\n")
    with pytest.raises(PostgresDidNotStart, match="written by PostgreSQL 12, installed is 18"):
        server.start()


def test_it_leaves_with_its_starter(tmp_path: Path) -> None:
    code = f"""
import time
from pathlib import Path
from services.cli.local.postgres import Postgres
p = Postgres(Path({str(tmp_path / "pg")!r}))
p.start()
print(p.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT)}
    ) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        starter.send_signal(signal.SIGKILL)
    until(lambda: gone(pid) and not processes_in(tmp_path / "pg" / "data"), "nothing of it is left")
    again = Postgres(tmp_path / "pg")
    again.start()
    again.stop()


def test_it_runs_in_a_folder_that_only_its_owner_enters(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = Postgres(closed / "pg")
    server.start()
    server.stop()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def _no_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    works = identity._works
    monkeypatch.setattr(identity, "_works", lambda who, *rest: "--namespace" not in who.options and works(who, *rest))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that others may pass through; pytest closes its own ones."""
    folder = Path(tempfile.mkdtemp(prefix="connect-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def test_root_without_user_namespaces_drops_to_another_user(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _no_namespaces(monkeypatch)
    said: list[str] = []
    server = Postgres(open_folder / "pg", say=said.append)
    server.start()
    try:
        owner = Path(f"/proc/{server.pid}").stat().st_uid
        assert owner != 0
        assert bool([text for text in said if "refuses root" in text]) == (os.geteuid() == 0)
    finally:
        server.stop()


def test_where_postgres_can_run_as_nobody_the_ways_out_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "_works", lambda *_: False)
    monkeypatch.setattr(identity, "_has_name", lambda _: False)
    with pytest.raises(PostgresDidNotStart, match="CONNECT_DATABASE_URL to a PostgreSQL of your own"):
        Postgres(tmp_path / "pg").start()
