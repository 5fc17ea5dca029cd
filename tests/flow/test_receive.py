"""Taking events in: each has one outcome, the newest wins, neighbours never suffer, and two intakes never quarrel."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.db.connect import Connection, connect
from shared.records.actions import retry
from shared.records.change import Outcome
from shared.records.settle import settle
from shared.records.states import State
from shared.rollup.rollup import Rollup
from shared.runtime.intake import Intake, Taken
from shared.runtime.prepare import Arrival
from tests.support.spine import (
    SLUG,
    assert_sound,
    claims,
    codes,
    event,
    nothing,
    record,
    settlement,
    states,
    store_lane,
    take_in,
)
from tests.support.waiting import until

pytestmark = pytest.mark.servers
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        yield opened


def outcomes(taken: list[Taken]) -> list[str]:
    return [str(one.outcome) for one in taken]


def test_a_new_order_is_pending_and_due_at_once(conn: Connection) -> None:
    (taken,) = take_in(conn, event("A"))
    assert (taken.outcome, taken.stage) == (Outcome.APPLIED, "erp")
    assert record(conn, "A")["state"] == "pending"
    assert_sound(conn)


def test_every_event_has_an_outcome_also_within_one_batch(conn: Connection) -> None:
    first = event("A", name="1", time=at(0))
    taken = take_in(
        conn,
        first,
        first,
        event("A", name="1", time=at(0), total="1.00"),
        event("A", name="2", time=at(0)),
        event("A", name="3", time=at(-5), total="2.00"),
        event("A", name="4", time=at(5), total="3.00"),
        b"{",
        b"{",
        event("B", interface="nobody"),
    )
    assert outcomes(taken) == [
        "applied", "duplicate", "rejected", "duplicate", "superseded", "applied", "rejected", "duplicate", "rejected",
    ]  # fmt: skip
    assert [p.code for p in taken[2].problems] == ["id-reused"]
    assert record(conn, "A")["payload_no"] == 2
    assert_sound(conn)


def test_a_rejected_event_does_not_occupy_its_id(conn: Connection) -> None:
    bad = event("A", name="1", currency="euro")
    assert outcomes(take_in(conn, bad)) == ["rejected"]
    assert outcomes(take_in(conn, event("A", name="1"))) == ["applied"]
    assert outcomes(take_in(conn, bad)) == ["duplicate"]
    assert_sound(conn)


def test_equal_data_of_a_later_time_counts_as_that_new(conn: Connection) -> None:
    take_in(conn, event("A", time=at(0)), event("A", time=at(10)))
    assert outcomes(take_in(conn, event("A", time=at(5), total="9.00"))) == ["superseded"]


@pytest.mark.parametrize("state", [State.DONE, State.WARNING, State.FAILED, State.SKIPPED, State.WAITING])
def test_a_newer_copy_gives_a_resting_order_its_turn_again(conn: Connection, state: State) -> None:
    take_in(conn, event("A", time=at(0)))
    (held,) = claims(conn)
    settle(conn, [settlement(held, state, **({"after": 600.0, "tries": 3} if state is State.WAITING else {}))])
    (taken,) = take_in(conn, event("A", time=at(1), total="1.00"))
    row = record(conn, "A")
    assert (taken.stage, row["state"], row["tries"], row["due"] <= 0.0) == ("erp", "pending", 0, True)
    assert_sound(conn)


def test_what_was_wrong_with_an_older_copy_is_not_said_of_the_newer(conn: Connection) -> None:
    take_in(conn, event("A", time=at(0)))
    settle(conn, [settlement(claims(conn)[0], State.FAILED, "sku:X")])
    take_in(conn, event("A", time=at(1), total="1.00"))
    assert (record(conn, "A")["code"], record(conn, "A")["reason"]) == (None, None)


def test_a_duplicate_leaves_a_failed_order_alone(conn: Connection) -> None:
    body = event("A", time=at(0))
    take_in(conn, body)
    settle(conn, [settlement(claims(conn)[0], State.FAILED)])
    assert outcomes(take_in(conn, body, event("A", time=at(3)))) == ["duplicate", "duplicate"]
    assert record(conn, "A")["state"] == "failed"


def test_a_change_while_running_is_only_noted(conn: Connection) -> None:
    take_in(conn, event("A", time=at(0)))
    (held,) = claims(conn)
    before = record(conn, "A")
    take_in(conn, event("A", time=at(1), total="1.00"))
    row = record(conn, "A")
    assert (row["state"], row["payload_no"], row["seq"]) == ("running", 2, before["seq"])
    settle(conn, [settlement(held, State.DONE, sent=True)])
    row = record(conn, "A")
    assert (row["state"], row["sent_no"], row["due"] <= 0.0) == ("pending", 1, True)
    assert_sound(conn)


# -- announced -----------------------------------------------------------------------------------------------------


def oldest(conn: Connection) -> float:
    figures = Rollup(nothing).round(conn)
    return figures["connect_oldest_unfinished_timestamp_seconds"]["order-import", SLUG]


def test_an_announced_order_is_looked_at_in_six_hours_and_worries_nobody(conn: Connection) -> None:
    (taken,) = take_in(conn, event("A", time=at(0), status="announced"))
    assert not taken.due
    row = record(conn, "A")
    assert (row["state"], round(row["due"] / 3600)) == ("pending", 6)
    assert [problem["code"] for problem in row["reason"]] == ["announced"]
    assert oldest(conn) == 0.0
    take_in(conn, event("A", time=at(1), status="open"))
    assert record(conn, "A")["due"] <= 0.0
    assert oldest(conn) > 0.0, "an open order counts, whatever was said of it before"
    assert_sound(conn)


def test_an_order_that_is_opened_while_it_is_held_does_not_wait_six_hours(conn: Connection) -> None:
    take_in(conn, event("A", time=at(0), status="announced"))
    conn.execute("UPDATE records SET due_at = now()")
    (held,) = claims(conn)
    take_in(conn, event("A", time=at(1), status="open"))
    settle(conn, [settlement(held, State.PENDING, after=6 * 3600.0)])
    assert record(conn, "A")["due"] <= 0.0


# -- what a database refuses ---------------------------------------------------------------------------------------


def trap(conn: Connection, number: str) -> None:
    """The database refuses this one order, whoever stores it."""
    conn.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.key = '" + number + "' THEN"
        " RAISE EXCEPTION 'no' USING ERRCODE = '22000'; END IF; RETURN new; END $$"
    )
    conn.execute("CREATE TRIGGER trap BEFORE INSERT ON records FOR EACH ROW EXECUTE FUNCTION refuse()")


def test_an_event_that_the_database_refuses_leaves_alone(conn: Connection) -> None:
    trap(conn, "N13")
    taken = take_in(conn, *(event(f"N{n}") for n in range(40)), b"{")
    refused = [n for n, one in enumerate(taken) if one.outcome is Outcome.REJECTED]
    assert refused == [13, 40]
    assert [p.code for p in taken[13].problems] == ["database-refused"]
    assert len(states(conn)) == 39
    assert_sound(conn)


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_no_header_can_make_an_input_unstorable(conn: Connection, text: str) -> None:
    arrivals = [
        Arrival(b"{", "order-imported", f"tests {text}", "order-imported", routing_key=text, content_type=text),
        Arrival(event("A"), "order-imported", "tests", "order-imported"),
    ]
    assert outcomes(Intake(nothing).take_in(conn, arrivals)) == ["rejected", "applied"]
    assert_sound(conn)


def test_times_at_the_edges_of_the_calendar_are_taken_or_refused_but_never_stick(conn: Connection) -> None:
    taken = take_in(conn, event("A", ordered_at="0001-01-01T00:00:00Z", ship_by="9999-12-31T23:59:59Z"), event("B"))
    assert outcomes(taken) == ["applied", "applied"]
    assert record(conn, "A")["ordered_at"].year == 1


# -- two at once ---------------------------------------------------------------------------------------------------


def together(url: str, *parts: Callable[[Connection], Any]) -> list[Any]:
    """Run each on a thread and a connection of its own, all let go at the same moment."""
    barrier = threading.Barrier(len(parts))

    def one(part: Callable[[Connection], Any]) -> Any:
        with connect(url, "tests") as own:
            barrier.wait(10)
            return part(own)

    with ThreadPoolExecutor(len(parts)) as threads:
        return [future.result(30) for future in [threads.submit(one, part) for part in parts]]


def test_two_intakes_of_the_same_events_make_each_record_once(conn: Connection, database_url: str) -> None:
    bodies = [event(f"N{n}") for n in range(60)]
    both = together(database_url, lambda own: take_in(own, *bodies), lambda own: take_in(own, *reversed(bodies)))
    applied = sum(one.outcome is Outcome.APPLIED for taken in both for one in taken)
    assert (applied, len(states(conn))) == (60, 60)
    assert {one.outcome for taken in both for one in taken} == {Outcome.APPLIED, Outcome.DUPLICATE}
    assert_sound(conn)


def test_two_intakes_of_changes_to_the_same_orders_end_with_the_newest(conn: Connection, database_url: str) -> None:
    take_in(conn, *(event(f"N{n}", time=at(0)) for n in range(30)))
    older = [event(f"N{n}", time=at(1), total="1.00") for n in range(30)]
    newer = [event(f"N{n}", time=at(2), total="2.00") for n in reversed(range(30))]
    together(database_url, lambda own: take_in(own, *older), lambda own: take_in(own, *newer))
    bodies = conn.execute(
        "SELECT p.body FROM records r JOIN payloads p ON p.record_id = r.id AND p.no = r.payload_no"
    ).fetchall()
    assert {json.loads(body)["data"]["order"]["total"] for (body,) in bodies} == {"2.00"}
    assert_sound(conn)


def test_two_intakes_of_one_id_for_two_orders_take_one_and_refuse_the_other(
    conn: Connection, database_url: str
) -> None:
    one, other = event("A", name="same"), event("B", name="same")
    both = together(database_url, lambda own: take_in(own, one), lambda own: take_in(own, other))
    assert sorted(outcomes([taken for (taken,) in both])) == ["applied", "rejected"]
    assert len(states(conn)) == 1
    assert_sound(conn)


def test_two_intakes_of_the_same_refused_bodies_keep_each_once(conn: Connection, database_url: str) -> None:
    bodies = [f"{{{n}".encode() for n in range(40)]
    both = together(database_url, lambda own: take_in(own, *bodies), lambda own: take_in(own, *reversed(bodies)))
    assert sum(one.outcome is Outcome.REJECTED for taken in both for one in taken) == 40
    assert conn.execute("SELECT count(*) FROM rejections").fetchone() == (40,)
    assert_sound(conn)


def test_a_connection_that_ends_in_the_middle_stores_nothing_and_the_repetition_all(
    conn: Connection, database_url: str
) -> None:
    take_in(conn, *(event(f"N{n}", time=at(0)) for n in range(20)))
    newer = [event(f"N{n}", time=at(1), total="1.00") for n in range(20)]
    new = [event(f"M{n}") for n in range(20)]

    arrivals = [Arrival(body, "order-imported", "tests", "order-imported") for body in [*new, *newer]]
    with connect(database_url, "doomed") as doomed:

        def cut(name: str) -> None:
            if name == "intake.stored":
                conn.execute("SELECT pg_terminate_backend(%s)", (doomed.info.backend_pid,))

        with pytest.raises(psycopg.OperationalError):
            Intake(cut).take_in(doomed, arrivals)
    assert len(states(conn)) == 40  # what is new is there
    assert outcomes(take_in(conn, *new, *newer)) == ["duplicate"] * 20 + ["applied"] * 20
    assert_sound(conn)


def test_intake_and_settle_of_the_same_orders_do_not_block_each_other_for_ever(
    conn: Connection, database_url: str
) -> None:
    take_in(conn, *(event(f"N{n:02}", time=at(0)) for n in range(40)))
    held = claims(conn)
    newer = [event(f"N{n:02}", time=at(1), total="1.00") for n in range(40)]
    batch = [settlement(one, State.DONE, sent=True) for one in reversed(held)]

    def settling(own: Connection) -> None:
        try:
            settle(own, batch)
        except psycopg.errors.DeadlockDetected:
            settle(own, batch)

    together(database_url, lambda own: take_in(own, *newer), settling)
    until(lambda: set(states(conn).values()) == {"pending"}, "every order has its turn again")
    assert codes(conn, "N00").count("newer-version") <= 1
    assert_sound(conn)


# -- whatever comes, the books balance -----------------------------------------------------------------------------

inputs = st.lists(
    st.tuples(
        st.sampled_from(["event", "event", "event", "reuse", "broken", "claim", "settle", "retry", "resubmit"]),
        st.integers(0, 2),
        st.integers(0, 3),
        st.integers(-2, 2),
        st.sampled_from([State.DONE, State.WARNING, State.FAILED, State.SKIPPED, State.WAITING, State.PENDING]),
    ),
    max_size=25,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(inputs, min_size=1, max_size=4), paused=st.booleans())
def test_the_books_balance_after_any_history(conn: Connection, history: list[Any], paused: bool) -> None:
    conn.execute(
        "TRUNCATE records, events, duplicates, arrivals, rejections, transitions, payloads, attempts, keys, blocks"
    )
    conn.execute("UPDATE interfaces SET mode = %s", ("test" if paused else "live",))
    intake, held = Intake(nothing), {}
    for batch in history:
        arrivals = []
        for what, key, data, minutes, state in batch:
            if what in ("event", "reuse"):
                name = f"fixed-{key}" if what == "reuse" else f"{key}-{data}-{minutes}"
                arrivals.append(event(f"K{key}", name=name, time=at(minutes), total=f"{data}.00"))
            elif what == "broken":
                arrivals.append(event(f"K{key}", name=f"broken-{data}", currency="euro"))
            elif what == "claim":
                held.update({one.id: one for one in claims(conn, 2)})
            elif what == "settle" and held:
                one = held.pop(min(held))
                settle(conn, [settlement(one, state, *(["sku:X"] if state is State.FAILED else []))])
            elif what == "retry":
                retry(conn, [row[0] for row in conn.execute("SELECT id FROM records").fetchall()], "tests")
            elif what == "resubmit":
                for (rejection,) in conn.execute("SELECT id FROM rejections WHERE state = 'open' LIMIT 1").fetchall():
                    intake.resubmit(conn, rejection, event(f"K{key}", name=f"mended-{data}"), "tests")
        taken = take_in(conn, *arrivals)
        assert len(taken) == len(arrivals)
        assert_sound(conn)
