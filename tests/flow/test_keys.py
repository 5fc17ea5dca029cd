"""Keys: whoever waits for something goes on when it comes true, and nothing falls between looking and raising."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from shared.db.connect import Connection, connect
from shared.records.actions import retry
from shared.records.interfaces import NewSide, save_mapping, save_side
from shared.records.keys import FOLLOW_SECONDS, keys_to_probe, raise_key
from shared.records.settle import settle
from shared.records.states import State
from shared.seal import Seal
from tests.support.spine import (
    SLUG,
    assert_sound,
    claims,
    codes,
    event,
    make_due,
    record,
    settlement,
    states,
    store_lane,
    take_in,
)
from tests.support.waiting import until

pytestmark = pytest.mark.servers
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        yield opened


def blocked(conn: Connection, keys: dict[str, list[str]], state: State = State.FAILED) -> None:
    """Orders, each with what it waits for."""
    take_in(conn, *(event(number) for number in keys))
    more = {"after": 3600.0} if state is State.WAITING else {}
    settle(conn, [settlement(one, state, *keys[one.key], **more) for one in claims(conn)])


@pytest.mark.parametrize("state", [State.FAILED, State.WAITING])
def test_a_raise_sets_due_what_waits_one_first_and_the_others_soon(conn: Connection, state: State) -> None:
    blocked(conn, {"A": ["sku:X"], "B": ["sku:X"], "C": ["sku:Y"]}, state)
    assert raise_key(conn, SLUG, "sku:X") == 2
    assert states(conn) == {"A": "pending", "B": "pending", "C": str(state)}
    dues = sorted(record(conn, key)["due"] for key in "AB")
    assert dues[0] <= 0.0 < dues[1] <= FOLLOW_SECONDS
    (first,) = claims(conn)
    settle(conn, [settlement(first, State.DONE)])
    assert len(claims(conn)) == 1, "the others follow at once when the first got through"
    assert_sound(conn)


def test_the_first_that_fails_for_the_same_does_not_wave_the_others_on(conn: Connection) -> None:
    blocked(conn, {"A": ["sku:X"], "B": ["sku:X"]})
    raise_key(conn, SLUG, "sku:X")
    (first,) = claims(conn)
    settle(conn, [settlement(first, State.FAILED, "sku:X")])
    assert claims(conn) == []
    assert_sound(conn)


def test_with_two_mistakes_each_that_is_mended_gives_a_try(conn: Connection) -> None:
    blocked(conn, {"A": ["sku:X", "payment:PAYPAL"]})
    assert raise_key(conn, SLUG, "payment:PAYPAL") == 1
    settle(conn, [settlement(claims(conn)[0], State.FAILED, "sku:X")])
    assert raise_key(conn, SLUG, "payment:PAYPAL") == 0
    assert raise_key(conn, SLUG, "sku:X") == 1
    assert_sound(conn)


def test_a_key_counts_for_its_interface_only(conn: Connection) -> None:
    store_lane(conn, "shop-2")
    blocked(conn, {"A": ["sku:X"]})
    assert raise_key(conn, "shop-2", "sku:X") == 0
    assert states(conn) == {"A": "failed"}


def test_a_raise_between_looking_and_settling_is_not_missed(conn: Connection, database_url: str) -> None:
    take_in(conn, event("A"), event("B"))
    early = {one.key: one for one in claims(conn)}
    raise_key(conn, SLUG, "sku:X")
    settle(conn, [settlement(early["A"], State.FAILED, "sku:X"), settlement(early["B"], State.FAILED, "sku:Y")])
    assert states(conn) == {"A": "pending", "B": "failed"}
    assert record(conn, "A")["due"] <= 0.0
    settle(conn, [settlement(claims(conn)[0], State.FAILED, "sku:X")])
    assert states(conn)["A"] == "failed", "what was raised before the look is old news"
    assert_sound(conn)


@pytest.mark.parametrize("raise_first", [True, False])
def test_a_raise_and_a_settle_at_the_same_moment_always_meet(
    conn: Connection, database_url: str, raise_first: bool
) -> None:
    take_in(conn, event("A"))
    (held,) = claims(conn)
    batch = [settlement(held, State.FAILED, "sku:X")]
    with connect(database_url, "other") as other, ThreadPoolExecutor(1) as threads:
        with conn.transaction():
            if raise_first:
                raise_key(conn, SLUG, "sku:X")
                late = threads.submit(settle, other, batch)
            else:
                settle(conn, batch)
                late = threads.submit(raise_key, other, SLUG, "sku:X")  # type: ignore[arg-type]
            with connect(database_url, "watch") as watch:
                until(
                    lambda: watch.execute(
                        "SELECT 1 FROM pg_stat_activity WHERE application_name = 'other'"
                        " AND datname = current_database() AND wait_event_type = 'Lock'"
                    ).fetchone(),
                    "the second waits for the first",
                )
        late.result(10)
    assert states(conn) == {"A": "pending"}
    assert record(conn, "A")["due"] <= 0.0
    assert_sound(conn)


def test_a_batch_of_several_claims_compares_each_with_what_its_own_claim_saw(conn: Connection) -> None:
    take_in(conn, event("A"))
    before = claims(conn)
    raise_key(conn, SLUG, "sku:X")
    take_in(conn, event("B"))
    after = claims(conn)
    settle(conn, [settlement(one, State.FAILED, "sku:X") for one in [*after, *before]])
    assert states(conn) == {"A": "pending", "B": "failed"}


def test_keys_from_a_restored_dump_do_not_send_records_round_in_circles(conn: Connection) -> None:
    blocked(conn, {"A": ["sku:X"]})
    conn.execute("UPDATE keys SET raised = 1, raised_xid = '9000000000'")
    retry(conn, [record(conn, "A")["id"]], "tests")
    settle(conn, [settlement(claims(conn)[0], State.FAILED, "sku:X")])
    assert states(conn) == {"A": "failed"}


def test_a_changed_or_retried_record_leaves_its_blocks_behind_when_it_settles(conn: Connection) -> None:
    blocked(conn, {"A": ["sku:X"], "B": ["sku:X"]})
    take_in(conn, event("A", total="1.00", time=datetime.now(UTC) + timedelta(seconds=60)))
    retry(conn, [record(conn, "B")["id"]], "tests")
    assert raise_key(conn, SLUG, "sku:X") == 0, "both are on their way already"
    settle(conn, [settlement(one, State.DONE) for one in claims(conn)])
    assert conn.execute("SELECT count(*) FROM blocks").fetchone() == (0,)
    assert not record(conn, "A")["blocked"]
    assert raise_key(conn, SLUG, "sku:X") == 0
    assert states(conn) == {"A": "done", "B": "done"}
    assert_sound(conn)


def test_a_saved_mapping_and_its_key_come_together(conn: Connection) -> None:
    blocked(conn, {"A": ["payment:PAYPAL"]})
    revision = conn.execute("SELECT revision FROM interfaces").fetchone()
    save_mapping(conn, SLUG, "payment", "PAYPAL", "7", "tests")
    assert states(conn) == {"A": "pending"}
    assert codes(conn, "A")[-1] == "key-came-true"
    (held,) = claims(conn)
    assert revision is not None
    assert held.revision == revision[0] + 1


def test_many_raises_and_settles_at_once_end_without_a_record_left_behind(conn: Connection, database_url: str) -> None:
    take_in(conn, *(event(f"N{n:02}") for n in range(40)))
    held = claims(conn)
    barrier = threading.Barrier(3)

    def settling(part: int) -> None:
        with connect(database_url, "tests") as own:
            barrier.wait(10)
            for n in range(part, 40, 2):
                keys = ["sku:X", "sku:Y"] if n % 3 else ["sku:Y", "sku:X"]
                settle(own, [settlement(held[n], State.FAILED, *keys)])

    def raising() -> None:
        with connect(database_url, "tests") as own:
            barrier.wait(10)
            for n in range(20):
                raise_key(own, SLUG, "sku:Y" if n % 2 else "sku:X")

    with ThreadPoolExecutor(3) as threads:
        for future in [threads.submit(settling, 0), threads.submit(settling, 1), threads.submit(raising)]:
            future.result(30)
    raise_key(conn, SLUG, "sku:X")
    assert set(states(conn).values()) == {"pending"}
    make_due(conn, *states(conn))
    settle(conn, [settlement(one, State.DONE) for one in claims(conn)])
    assert_sound(conn)


def test_remote_keys_are_looked_at_when_they_block_and_ever_more_slowly(conn: Connection) -> None:
    blocked(conn, {"A": ["sku:X"], "B": ["sku:Y", "payment:PAYPAL"]})
    assert keys_to_probe(conn, SLUG, "sku:") == []
    waits = []
    for _ in range(21):
        conn.execute("UPDATE keys SET probe_at = now()")
        assert sorted(keys_to_probe(conn, SLUG, "sku:")) == ["sku:X", "sku:Y"]
        row = conn.execute(
            "SELECT extract(epoch FROM probe_at - now())::float8 FROM keys WHERE key = 'sku:X'"
        ).fetchone()
        assert row is not None
        waits.append(round(row[0]))
    assert waits == sorted(waits)
    assert waits[0] <= 30.0 < waits[-1]
    raise_key(conn, SLUG, "sku:X")
    settle(conn, [settlement(one, State.DONE) for one in claims(conn)])
    conn.execute("UPDATE keys SET probe_at = now()")
    assert keys_to_probe(conn, SLUG, "sku:") == ["sku:Y"], "what blocks nobody is not asked for"


def test_a_raise_reaches_what_went_back_to_pending_with_a_newer_copy(conn: Connection) -> None:
    """The ERP is away, the shop changes the order meanwhile, the ERP is back: the order does not wait for hours."""
    take_in(conn, event("A", time=NOON))
    (held,) = claims(conn)
    take_in(conn, event("A", time=NOON + timedelta(minutes=1), total="1.00"))
    settle(conn, [settlement(held, State.WAITING, f"erp:{SLUG}", after=3600.0)])
    assert record(conn, "A")["state"] == "pending"
    raise_key(conn, SLUG, f"erp:{SLUG}")
    assert record(conn, "A")["due"] <= FOLLOW_SECONDS
    assert_sound(conn)


def test_settings_that_are_saved_are_what_records_waited_for(conn: Connection) -> None:
    blocked(conn, {"A": ["setting:ship-from"], "B": ["sku:X"]})
    save_side(conn, Seal("x" * 32), SLUG, "marketplace", NewSide({}, {}, 10.0))
    assert states(conn) == {"A": "pending", "B": "failed"}
    assert_sound(conn)
