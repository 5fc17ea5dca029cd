"""Claims: one worker holds a record, what is lost comes back in time, and what kills its worker is found out."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from shared.db import roles
from shared.db.connect import Connection, connect
from shared.records.claim import (
    LOST_AFTER,
    Claim,
    Kind,
    Quota,
    claim,
    fail_lost,
    lanes_with_work,
    release,
    renew,
    special_work,
)
from shared.records.settle import settle
from shared.records.states import State
from tests.support.spine import (
    SLUG,
    STAGE,
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
HALFWAY = 4711
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        yield opened


def test_two_workers_never_hold_the_same_record(conn: Connection, database_url: str) -> None:
    take_in(conn, *(event(f"N{n}") for n in range(60)))
    barrier = threading.Barrier(4)

    def work() -> list[int]:
        with connect(database_url, "tests") as own:
            barrier.wait(10)
            return [one.id for _ in range(6) for one in claims(own, 5)]

    with ThreadPoolExecutor(4) as threads:
        held = [id_ for future in [threads.submit(work) for _ in range(4)] for id_ in future.result(20)]
    assert (len(held), len(set(held))) == (60, 60)
    assert_sound(conn)


@pytest.fixture
def halfway(conn: Connection, role_urls: Mapping[roles.Kind, str]) -> str:
    """The address of a worker whose claims stand still between what they see and what they lock: while `HALFWAY` is
    held by somebody."""
    conn.execute(
        f"CREATE FUNCTION halfway() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
        f" PERFORM pg_advisory_lock_shared({HALFWAY}); RETURN pg_advisory_unlock_shared({HALFWAY}); END $$"
    )
    conn.execute("ALTER TABLE records ENABLE ROW LEVEL SECURITY")
    conn.execute("CREATE POLICY halfway ON records USING (halfway()) WITH CHECK (true)")
    return role_urls["services"]


def test_a_newer_copy_that_comes_amid_a_claim_is_in_the_workers_hands(conn: Connection, halfway: str) -> None:
    """A statement sees what was there when it began, and locks what is there now."""
    take_in(conn, event("A", version=1), event("B", version=1))
    conn.execute("SELECT pg_advisory_lock(%s)", (HALFWAY,))
    with connect(halfway, "tests") as worker, ThreadPoolExecutor(1) as threads:
        with conn.transaction():
            take_in(conn, event("A", version=2))
            claiming = threads.submit(claims, worker)
            waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            until(lambda: conn.execute(waits).fetchone() == (1,), "the claim stands still")
        conn.execute("SELECT pg_advisory_unlock(%s)", (HALFWAY,))
        held = {one.key: one for one in claiming.result(20)}
    assert (record(conn, "A")["state"], record(conn, "B")["state"]) == ("running", "running")
    assert sorted(held) == ["A", "B"]
    a, b = held["A"], held["B"]
    assert (a.payload_no, json.loads(a.body)["data"]["order"]["version"]) == (2, 2)
    assert (b.payload_no, json.loads(b.body)["data"]["order"]["version"]) == (1, 1)
    assert (a.revision, a.was, a.sent_body, 0.0 <= a.staged_seconds < 60.0) == (b.revision, State.PENDING, None, True)
    assert settle(conn, [settlement(a, State.DONE)]).states == {a.id: State.DONE}
    assert_sound(conn)


def test_a_record_without_its_copy_holds_up_nobody(conn: Connection) -> None:
    take_in(conn, event("A"), event("B"))
    conn.execute("DELETE FROM payloads WHERE record_id = (SELECT id FROM records WHERE key = 'A' AND stage = 'erp')")
    assert [one.key for one in claims(conn)] == ["B"]


def test_the_oldest_comes_first_and_each_lane_has_its_own_slots(conn: Connection) -> None:
    store_lane(conn, "shop-2")
    for n in range(4):
        take_in(conn, event(f"N{n}"), event(f"S{n}", interface="shop-2"))
    quotas = [Quota(SLUG, 2, 50.0), Quota("shop-2", 1, 50.0)]
    held = claim(conn, STAGE, quotas, Kind.NORMAL, intends=True)
    assert sorted((one.interface, one.key) for one in held) == [(SLUG, "N0"), (SLUG, "N1"), ("shop-2", "S0")]


def test_a_record_is_not_claimed_again_before_its_lease_its_call_and_the_lag_are_over(conn: Connection) -> None:
    take_in(conn, event("A"))
    assert [one.key for one in claims(conn, hold=55.0)] == ["A"]
    assert claims(conn) == []
    assert 54.0 < record(conn, "A")["due"] <= 55.0


def test_a_renewed_lease_is_whole_again_and_a_lost_one_is_not_renewed(conn: Connection) -> None:
    take_in(conn, event("A"), event("B"))
    held = {one.key: one for one in claims(conn, hold=30.0)}
    make_due(conn, "B")
    claims(conn)
    kept = renew(conn, [(one, 90.0) for one in held.values()])
    assert kept == {held["A"].id}
    assert record(conn, "A")["due"] > 80.0


def lose(conn: Connection, key: str, kind: Kind = Kind.NORMAL) -> Claim | None:
    """Claim it, die, and let the lease run out."""
    found = claims(conn, 1, kind)
    make_due(conn, key)
    return found[0] if found else None


def test_the_fence_refuses_whoever_lost_the_record(conn: Connection) -> None:
    take_in(conn, event("A"))
    first = lose(conn, "A")
    assert first is not None
    (second,) = claims(conn)
    assert (first.claim_no, second.claim_no, second.was) == (1, 2, State.RUNNING)
    assert settle(conn, [settlement(first, State.FAILED)]).refused != []
    assert settle(conn, [settlement(second, State.DONE)]).states == {second.id: State.DONE}
    assert_sound(conn)


def test_lost_twice_it_is_claimed_alone_and_lost_five_times_it_fails(conn: Connection) -> None:
    take_in(conn, event("A"))
    assert lose(conn, "A")
    assert lose(conn, "A")
    assert claims(conn) == [], "not beside others any more"
    assert [(one.interface, one.forced, one.suspect) for one in special_work(conn, STAGE, [SLUG])] == [
        (SLUG, False, True)
    ]
    for _ in range(LOST_AFTER - 2):
        assert lose(conn, "A", Kind.SUSPECT)
    assert claims(conn, kind=Kind.SUSPECT) == []
    assert fail_lost(conn, STAGE, [SLUG]) == 1
    assert (record(conn, "A")["state"], record(conn, "A")["code"]) == ("failed", "worker-lost")
    assert_sound(conn)


def test_what_was_not_begun_is_given_back_without_a_mark(conn: Connection) -> None:
    take_in(conn, event("A"))
    (held,) = claims(conn)
    release(conn, [held])
    row = record(conn, "A")
    assert (row["state"], row["tries"], row["lost"], row["intended"], row["due"] <= 0.0) == (
        "pending", 0, 0, False, True,
    )  # fmt: skip
    assert codes(conn, "A")[-1] == "worker-stopped"
    release(conn, [held])
    assert_sound(conn)


def test_a_settle_forgets_lost_leases(conn: Connection) -> None:
    take_in(conn, event("A"))
    lose(conn, "A")
    (held,) = claims(conn)
    settle(conn, [settlement(held, State.WAITING, after=0.0)])
    assert record(conn, "A")["lost"] == 0


def test_an_intent_is_taken_back_when_nothing_was_sent(conn: Connection) -> None:
    take_in(conn, event("A"), event("B"))
    a, b = claims(conn)
    assert (a.intended, record(conn, "A")["intended"]) == (False, True)
    settle(conn, [settlement(a, State.FAILED), settlement(b, State.WAITING, called=True)])
    assert (record(conn, "A")["intended"], record(conn, "B")["intended"]) == (False, True)


def test_a_claim_knows_how_long_ago_its_order_was_sent(conn: Connection) -> None:
    take_in(conn, event("A"))
    (held,) = claims(conn)
    assert held.called_seconds is None
    settle(conn, [settlement(held, State.WAITING, called=True)])
    (again,) = claims(conn)
    assert again.intended
    assert again.called_seconds is not None
    assert 0.0 <= again.called_seconds < 60.0


def test_forced_records_of_a_paused_interface_are_found_apart(conn: Connection) -> None:
    take_in(conn, event("A"), event("B"))
    conn.execute("UPDATE records SET forced = true WHERE key = 'A'")
    assert [one.key for one in claims(conn, kind=Kind.FORCED)] == ["A"]
    make_due(conn, "A")
    assert lose(conn, "A", Kind.FORCED)
    assert claims(conn, kind=Kind.FORCED) == []
    assert [one.key for one in claims(conn, kind=Kind.FORCED_SUSPECT)] == ["A"]


def test_a_floor_hides_only_what_is_older(conn: Connection) -> None:
    take_in(conn, event("A"))
    conn.execute("UPDATE records SET due_at = now() - interval '1 hour' WHERE key = 'A'")
    take_in(conn, event("B"))
    floor = datetime.now(UTC) - timedelta(minutes=10)
    held = claim(conn, STAGE, [Quota(SLUG, 5, 50.0, floor)], Kind.NORMAL, intends=True)
    assert [one.key for one in held] == ["B"]
    assert lanes_with_work(conn, STAGE, [SLUG, "shop-2"]) == [SLUG]
    assert [one.key for one in claims(conn)] == ["A"]
    assert set(states(conn).values()) == {"running"}


def test_a_claim_notes_which_copy_it_is_about_to_send(conn: Connection) -> None:
    """A worker dies over its call and the shop changes the order: the next one learns which copy may have arrived."""
    take_in(conn, event("4711", time=NOON))
    (first,) = claims(conn)
    assert first.sent_no is None
    take_in(conn, event("4711", time=NOON + timedelta(minutes=1), total="7.00"))
    make_due(conn, "4711")
    (second,) = claims(conn)
    assert (second.intended, second.sent_no, second.payload_no) == (True, 1, 2)
    assert second.sent_body is not None
    assert second.sent_body != second.body


def test_a_settle_or_a_release_that_sent_nothing_takes_the_note_back(conn: Connection) -> None:
    take_in(conn, event("4711", time=NOON), event("4712", time=NOON))
    by_key = {one.key: one for one in claims(conn)}
    settle(conn, [settlement(by_key["4711"], State.FAILED)])
    release(conn, [by_key["4712"]])
    for number in ("4711", "4712"):
        assert record(conn, number)["sent_no"] is None
        assert record(conn, number)["intended"] is False
