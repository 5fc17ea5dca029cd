"""The shared rate limit: all processes together stay below it, nobody waits for ever."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg_pool import ConnectionPool

from shared.connectors.contract import Reason, RemoteError
from shared.db.connect import Connection, connect, open_pool
from shared.runtime.allowance import LATE_SECONDS, Allowance, shared_turns
from tests.support.spine import SLUG, store_lane

pytestmark = pytest.mark.servers


@pytest.fixture
def pool(database_url: str) -> Iterator[ConnectionPool[Connection]]:
    with open_pool(database_url, "tests", 8) as opened:
        yield opened


def limit(database_url: str, rate: float) -> None:
    with connect(database_url, "tests") as conn:
        store_lane(conn, rate=rate)


def sharer(pool: ConnectionPool[Connection], side: str = "erp") -> Allowance:
    """One process's share."""
    return Allowance(shared_turns(pool, SLUG, side))


def idle(database_url: str, since: str) -> None:
    with connect(database_url, "tests") as conn:
        conn.execute("UPDATE side_states SET next_call_at = now() - %s::interval", (since,))


def test_all_together_keep_to_the_limit_in_every_second(database_url: str, pool: ConnectionPool[Connection]) -> None:
    limit(database_url, 100.0)
    idle(database_url, "1 hour")
    sharers, begun = [sharer(pool) for _ in range(4)], list[float]()

    def call(n: int) -> None:
        sharers[n % 4].take()
        begun.append(time.monotonic())

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(call, range(140)))
    begun.sort()
    for first, at in enumerate(begun):
        assert sum(at <= other < at + 1.0 for other in begun[first:]) <= 105, "five percent more"
    assert begun[-1] - begun[0] >= 139 / 100.0 - 2 * LATE_SECONDS


def test_a_second_that_nobody_used_is_no_credit(database_url: str, pool: ConnectionPool[Connection]) -> None:
    limit(database_url, 2.0)
    idle(database_url, "1 hour")
    allowance = sharer(pool)
    allowance.take()
    with pytest.raises(RemoteError) as refused:
        allowance.take(0.0)
    assert refused.value.reason is Reason.RATE_LIMITED
    assert refused.value.retry_after is not None
    assert 0.0 < refused.value.retry_after <= 0.5


def test_less_than_one_call_a_second_is_possible(database_url: str, pool: ConnectionPool[Connection]) -> None:
    limit(database_url, 0.2)
    idle(database_url, "1 hour")
    allowance = sharer(pool)
    allowance.take()
    with pytest.raises(RemoteError) as refused:
        allowance.take(1.0)
    assert refused.value.retry_after is not None
    assert 4.0 < refused.value.retry_after <= 5.0


def test_the_sides_of_an_interface_have_limits_of_their_own(
    database_url: str, pool: ConnectionPool[Connection]
) -> None:
    limit(database_url, 1.0)
    idle(database_url, "1 minute")
    sharer(pool).take()
    sharer(pool, "marketplace").take()
    with pytest.raises(RemoteError):
        sharer(pool).take(0.0)


def test_a_removed_interface_calls_nobody(database_url: str, pool: ConnectionPool[Connection]) -> None:
    with pytest.raises(RemoteError) as refused:
        sharer(pool).take()
    assert refused.value.reason is Reason.UNREACHABLE
