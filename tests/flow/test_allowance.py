"""The shared rate limit: all processes together stay below it, nobody waits for ever."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg_pool import ConnectionPool

from shared.connectors.contract import Reason, RemoteError
from shared.db.connect import Connection, connect, open_pool
from shared.runtime.allowance import Allowance
from tests.support.spine import SLUG, store_lane

pytestmark = pytest.mark.servers


@pytest.fixture
def pool(database_url: str) -> Iterator[ConnectionPool[Connection]]:
    with open_pool(database_url, "tests", 8) as opened:
        yield opened


def limit(database_url: str, rate: float) -> None:
    with connect(database_url, "tests") as conn:
        store_lane(conn, rate=rate)


def test_all_together_stay_below_the_limit(database_url: str, pool: ConnectionPool[Connection]) -> None:
    limit(database_url, 50.0)
    sharers = [Allowance(pool, SLUG, "erp") for _ in range(4)]
    began = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: sharers[n % 4].take(), range(80)))
    seconds = time.monotonic() - began
    assert 50.0 * seconds + 50.0 + 1 >= 80, f"80 calls in {seconds:.2f} s"


def test_a_second_that_nobody_used_is_saved_but_not_more(database_url: str, pool: ConnectionPool[Connection]) -> None:
    limit(database_url, 2.0)
    with connect(database_url, "tests") as conn:
        conn.execute("UPDATE side_states SET refilled_at = now() - interval '1 hour'")
    allowance = Allowance(pool, SLUG, "erp")
    allowance.take(0.0)
    allowance.take(0.0)
    with pytest.raises(RemoteError) as refused:
        allowance.take(0.0)
    assert refused.value.reason is Reason.RATE_LIMITED
    assert refused.value.retry_after is not None
    assert 0.0 < refused.value.retry_after <= 0.5


def test_less_than_one_call_a_second_is_possible(database_url: str, pool: ConnectionPool[Connection]) -> None:
    limit(database_url, 0.2)
    with connect(database_url, "tests") as conn:
        conn.execute("UPDATE side_states SET refilled_at = now() - interval '1 hour'")
    allowance = Allowance(pool, SLUG, "erp")
    allowance.take(0.0)
    with pytest.raises(RemoteError) as refused:
        allowance.take(1.0)
    assert refused.value.retry_after is not None
    assert 4.0 < refused.value.retry_after <= 5.0


def test_the_sides_of_an_interface_have_limits_of_their_own(
    database_url: str, pool: ConnectionPool[Connection]
) -> None:
    limit(database_url, 1.0)
    with connect(database_url, "tests") as conn:
        conn.execute("UPDATE side_states SET refilled_at = now() - interval '1 minute'")
    Allowance(pool, SLUG, "erp").take(0.0)
    Allowance(pool, SLUG, "marketplace").take(0.0)
    with pytest.raises(RemoteError):
        Allowance(pool, SLUG, "erp").take(0.0)


def test_a_removed_interface_calls_nobody(database_url: str, pool: ConnectionPool[Connection]) -> None:
    with pytest.raises(RemoteError) as refused:
        Allowance(pool, SLUG, "erp").take()
    assert refused.value.reason is Reason.UNREACHABLE
