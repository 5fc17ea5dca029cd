"""The drill of docs/operations.md, with its own commands: backed up under load, destroyed, restored."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from services.cli.__main__ import main
from services.cli.local import cluster
from services.cli.local.postgres import Postgres
from shared.db.connect import connect
from shared.db.migrate import migrate, pending
from shared.records.settle import settle
from shared.records.states import State
from tests.support.drill import documented, inherit, own
from tests.support.sandbox import Stand, sandbox
from tests.support.spine import assert_sound, claims, event, settlement, store_lane, take_in
from tests.support.system import SECRET, System, order_event, running
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(400)]

MANY, AFTER, AWAY = 120, 20, 20
OPTIONS = {"wal_level": "replica", "max_wal_senders": "4"}


class Witness(threading.Thread):
    """Notes again and again which orders are committed, and up to where the log was by then."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url, self.over = url, threading.Event()
        self.seen: list[tuple[int, frozenset[str]]] = []

    def run(self) -> None:
        """Until it is over. What a statement sees was committed before it asks where the log is."""
        with psycopg.connect(self._url, autocommit=True) as conn:
            while not self.over.wait(0.02):
                row = conn.execute(
                    "SELECT array(SELECT key FROM records), pg_current_wal_insert_lsn() - '0/0'::pg_lsn"
                ).fetchone()
                assert row is not None
                self.seen.append((int(row[1]), frozenset(row[0])))

    def before(self, end: int) -> frozenset[str]:
        """What was committed before this place in the log."""
        return frozenset().union(*(keys for at, keys in self.seen if at <= end))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    """A server of the test's own, which it may destroy."""
    made = Postgres(tmp_path / "one", options=OPTIONS)
    made.start()
    yield made
    made.stop()


def assert_whole(backup: Path) -> None:
    """As pg_verifybackup does, which cannot be started in the wheel of PostgreSQL that the tests have."""
    files = json.loads((backup / "backup_manifest").read_text())["Files"]
    assert len(files) > 500
    for file in files:
        body = (backup / file["Path"]).read_bytes()
        assert (len(body), hashlib.sha256(body).hexdigest()) == (file["Size"], file["Checksum"]), file["Path"]


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    """Of each test its own: what the ERP holds is compared as a whole."""
    with sandbox(tmp_path / "sandbox") as made:
        made.settings("xentral", search_lag=0)  # a restore takes longer than that
        yield made


def end_of(backup: Path) -> int:
    """Up to where the log belongs to the backup, as its manifest says."""
    (found,) = json.loads((backup / "backup_manifest").read_text())["WAL-Ranges"]
    high, low = found["End-LSN"].split("/")
    return (int(high, 16) << 32) + int(low, 16)


def test_backed_up_under_load_destroyed_and_restored(
    tmp_path: Path, server: Postgres, amqp_url: str, stand: Stand, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    backup, restored = tmp_path / "backup", tmp_path / "two"
    with running(System(tmp_path, server.url, amqp_url, stand)) as system:
        system.prepare()
        system.start()
        first = [f"first-{n:03}" for n in range(MANY)]
        system.publish([order_event(number) for number in first[: MANY // 2]])
        until(lambda: system.states()["done"] > 5, "the load has begun", 60)
        witness = Witness(server.url)
        witness.start()
        system.publish([order_event(number) for number in first[MANY // 2 :]])
        admin = cluster.url(server.folder, "connect_admin", server.port, "postgres")
        documented("pg_basebackup", BACKUP=str(backup), ADMIN_URL=admin)
        assert_whole(backup)
        must = witness.before(end_of(backup))
        assert must, "something was committed before the backup's end"

        # Committed and acknowledged after the backup: what the plain backup cannot have.
        lost = [f"after-{n:03}" for n in range(AFTER)]
        system.publish([order_event(number) for number in lost])
        system.until_settled(MANY + AFTER)
        witness.over.set()
        witness.join(10)
        server.kill()
        system.end(number=9)
        shutil.rmtree(server.folder / "data")
        queued = [f"queued-{n:03}" for n in range(AWAY)]
        system.publish([order_event(number) for number in queued])

        _lay_out(server, backup, restored)
        other = Postgres(restored, options=OPTIONS)
        other.start()
        try:
            _after_the_restore(system, other, must, first + lost, queued, monkeypatch, capsys)
        finally:
            other.stop()


def _lay_out(server: Postgres, backup: Path, restored: Path) -> None:
    """The backup becomes the data folder of another server."""
    inherit(server, restored)
    shutil.copytree(backup, restored / "data")
    (restored / "data").chmod(0o700)
    own(restored)


def _after_the_restore(
    system: System, other: Postgres, must: frozenset[str], before: list[str], queued: list[str],
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    system.database_url = other.url
    assert migrate(other.url) == []
    there = {key for (key,) in system.query("SELECT key FROM records")}
    assert must <= there, "what was committed before the backup's end"
    assert not there & set(queued)
    for name, value in {
        "DATABASE_URL": other.url, "AMQP_URL": system.broker_url, "SECRET_KEY": SECRET,
        "ALLOWED_NETWORKS": "127.0.0.0/8",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"CONNECT_{name}", value)
    main(["doctor", "--json"])
    wrong = {
        one["name"]: one["said"] for one in json.loads(capsys.readouterr().out)["findings"] if one["level"] == "wrong"
    }
    assert set(wrong) <= {"importer", "exporter", "stock", "alerts", "journal", "work"}, wrong

    system.start("again")
    system.until_settled(len(there | set(queued)))
    known = {key for (key,) in system.query("SELECT key FROM records")}
    assert set(queued) <= known, "what the broker kept is taken in"
    # Publishers say everything once more.
    system.publish([order_event(number) for number in before + queued])
    system.until_settled(len(before) + len(queued))
    until(lambda: _arrived(system) >= len(before) + 2 * len(queued), "all of it came again", 60)
    states = system.states()
    why = system.query("SELECT key, code FROM records WHERE state = 'failed'")
    assert set(states) <= {"done", "skipped"}, why
    assert system.ledger() == dict.fromkeys(before + queued, 1), "created once"
    known_before = {key for (key,) in system.query("SELECT key FROM records WHERE state = 'done'")}
    assert must <= known_before
    system.assert_books_balance()
    system.assert_history_has_no_gaps()
    main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)["findings"]
    assert "books" in {one["name"] for one in found if one["level"] == "ok"}


def _arrived(system: System) -> int:
    ((count,),) = system.query("SELECT coalesce(sum(inputs), 0) FROM arrivals")
    return int(count)


def test_a_dump_is_restored_as_the_same_rows(database_url: str, empty_database_url: str, tmp_path: Path) -> None:
    with connect(database_url, "tests") as conn:
        store_lane(conn)
        take_in(conn, *(event(f"{n}") for n in range(20)))
        settle(conn, [settlement(one, State.DONE, remote="77") for one in claims(conn)])
        documented("pg_dump", DUMP=str(tmp_path / "dump"), OWNER_URL=database_url)
        documented("pg_restore", NEW_OWNER_URL=empty_database_url, DUMP=str(tmp_path / "dump"))
        before = _rows(conn)
    assert pending(empty_database_url) == []
    assert migrate(empty_database_url) == []
    with connect(empty_database_url, "tests") as again:
        assert _rows(again) == before
        assert_sound(again)
        take_in(again, event("new"))  # sequences go on, months are there
        assert len(claims(again)) == 1
    assert urlsplit(empty_database_url).path != urlsplit(database_url).path


def _rows(conn: Any) -> dict[str, list[str]]:
    tables = [
        row[0]
        for row in conn.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND NOT relispartition"
        ).fetchall()
    ]
    return {
        table: sorted(row[0] for row in conn.execute(f'SELECT t::text FROM "{table}" t'.encode()).fetchall())
        for table in tables
    }
