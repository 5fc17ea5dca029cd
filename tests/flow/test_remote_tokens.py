"""Access tokens: fetched once for all processes, renewed by one of them, dropped once, and never in clear."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from psycopg_pool import ConnectionPool

from shared.connectors.contract import Reason, RemoteError, Token
from shared.db.connect import Connection, connect, open_pool
from shared.runtime.tokens import SharedTokens
from shared.seal import Seal
from tests.support.creating import add
from tests.support.sandbox import PROJECT, sandbox
from tests.support.spine import SLUG, store_lane
from tests.support.system import SECRET
from tests.support.waiting import until

pytestmark = pytest.mark.servers
SEAL = Seal(SECRET)


class Endpoint:
    """Gives tokens t1, t2 …, and counts them; holds whoever asks while `gate` is shut."""

    def __init__(self, seconds: float = 1800.0) -> None:
        self.given, self.asking, self.gate, self._seconds = 0, 0, threading.Event(), seconds
        self.gate.set()

    def __call__(self) -> Token:
        self.asking += 1
        assert self.gate.wait(20)
        self.given += 1
        return Token(f"t{self.given}", self._seconds)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        yield opened


@pytest.fixture
def pool(database_url: str) -> Iterator[ConnectionPool[Connection]]:
    with open_pool(database_url, "tests", 8) as opened:
        yield opened


def worker(pool: ConnectionPool[Connection], owner: str = "these settings", patience: float = 10.0) -> SharedTokens:
    return SharedTokens(pool, SEAL, SLUG, "erp", owner=owner, patience=patience)


def test_all_threads_of_all_workers_share_one_token(conn: Connection, pool: Any) -> None:
    endpoint, workers = Endpoint(), [worker(pool) for _ in range(3)]
    with ThreadPoolExecutor(9) as threads:
        found = list(threads.map(lambda n: workers[n % 3].get("access", endpoint), range(18)))
    assert {value for value, _ in found} == {"t1"}
    assert [fresh for _, fresh in found].count(True) == 1
    assert endpoint.given == 1
    (row,) = conn.execute("SELECT sealed FROM remote_tokens").fetchall()
    assert b"t1" not in row[0]
    assert "t1" not in repr(workers[0]) + repr(Token("t1", 1.0))


def test_while_one_fetches_the_others_wait_for_it(conn: Connection, pool: Any) -> None:
    endpoint = Endpoint()
    endpoint.gate.clear()
    with ThreadPoolExecutor(2) as threads:
        one, other = (threads.submit(worker(pool).get, "access", endpoint) for _ in range(2))
        until(lambda: endpoint.asking, "one of them asks")
        endpoint.gate.set()
        assert sorted([one.result(20), other.result(20)]) == [("t1", False), ("t1", True)]
    assert endpoint.asking == 1


def test_a_token_that_ages_is_renewed_by_one_while_the_others_go_on_with_it(conn: Connection, pool: Any) -> None:
    endpoint = Endpoint()
    assert worker(pool).get("access", endpoint) == ("t1", True)
    conn.execute("UPDATE remote_tokens SET expires_at = now() + interval '30 seconds'")
    endpoint.gate.clear()
    with ThreadPoolExecutor(1) as threads:
        renewing = threads.submit(worker(pool).get, "access", endpoint)
        until(lambda: endpoint.asking == 2, "somebody renews it")
        assert worker(pool).get("access", endpoint) == ("t1", False)
        endpoint.gate.set()
        assert renewing.result(20) == ("t2", True)
    assert worker(pool).get("access", endpoint) == ("t2", False)


def test_the_databases_clock_says_when_it_ends(conn: Connection, pool: Any) -> None:
    endpoint = Endpoint()
    worker(pool).get("access", endpoint)
    conn.execute("UPDATE remote_tokens SET expires_at = now()")
    assert worker(pool).get("access", endpoint) == ("t2", True)


def test_a_refused_token_is_dropped_once(conn: Connection, pool: Any) -> None:
    endpoint, one, other = Endpoint(), worker(pool), worker(pool)
    assert one.get("access", endpoint)[0] == other.get("access", endpoint)[0] == "t1"
    one.drop("access", "t1")
    assert one.get("access", endpoint) == ("t2", True)
    other.drop("access", "t1")
    assert other.get("access", endpoint) == ("t2", False)
    other.drop("access", "t1")
    assert other.get("access", endpoint) == ("t2", False)
    assert endpoint.given == 2


def test_after_a_fetch_that_failed_anybody_may_try(conn: Connection, pool: Any) -> None:
    def refused() -> Token:
        raise RemoteError(Reason.UNAUTHORISED, "token: HTTP 401")

    with pytest.raises(RemoteError) as error:
        worker(pool).get("access", refused)
    assert error.value.reason is Reason.UNAUTHORISED
    assert worker(pool).get("access", Endpoint()) == ("t1", True)


def test_whoever_dies_over_a_renewal_is_followed_by_another(conn: Connection, pool: Any) -> None:
    conn.execute(
        "INSERT INTO remote_tokens(interface, side, name, renewing_until) VALUES (%s, 'erp', 'access',"
        " now() + interval '1 hour')",
        (SLUG,),
    )
    with pytest.raises(RemoteError) as error:
        worker(pool, patience=0.2).get("access", Endpoint())
    assert error.value.reason is Reason.UNREACHABLE
    conn.execute("UPDATE remote_tokens SET renewing_until = now()")
    assert worker(pool).get("access", Endpoint()) == ("t1", True)


def test_other_credentials_or_another_secret_key_want_another_token(conn: Connection, pool: Any) -> None:
    endpoint = Endpoint()
    worker(pool).get("access", endpoint)
    assert worker(pool, owner="other settings").get("access", endpoint) == ("t2", True)
    other = SharedTokens(pool, Seal("another-key-of-the-tests"), SLUG, "erp", owner="other settings", patience=5.0)
    assert other.get("access", endpoint) == ("t3", True)


def test_a_removed_interface_leaves_no_token(conn: Connection, pool: Any) -> None:
    worker(pool).get("access", Endpoint())
    conn.execute("DELETE FROM interfaces")
    assert conn.execute("SELECT count(*) FROM remote_tokens").fetchone() == (0,)


PROGRAM = """
import sys
from shared.connectors.registry import discover
from shared.db.connect import connect, open_pool
from shared.metrics import Metrics
from shared.networks import LOOPBACK, Networks
from shared.records.interfaces import read
from shared.runtime.remotes import Remotes
from shared.seal import Seal

url, secret, slug = sys.argv[1:]
seal = Seal(secret)
with open_pool(url, "tests-token", 2) as pool, connect(url, "tests-token") as conn:
    interface = read(conn, seal, slug)
    remotes = Remotes(discover(), pool, Metrics("tests", "0"), 10.0, Networks.parse(LOOPBACK), seal)
    source, close = remotes.marketplace(interface)
    print("ready", flush=True)
    sys.stdin.readline()
    source.ping()
    close()
"""


def test_two_processes_make_one_token_call(database_url: str, tmp_path: Path) -> None:
    with sandbox(tmp_path) as stand, connect(database_url, "tests") as conn:
        add(conn, stand)
        command = [sys.executable, "-c", PROGRAM, database_url, SECRET, SLUG]
        processes = [
            subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.communicate("go\n", timeout=30)
        assert [process.returncode for process in processes] == [0, 0]
        assert stand.calls("otto") == {"token": 1, "list-orders": 2}
