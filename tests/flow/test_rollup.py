"""What metrics say of the database is what is in it: after any history, any crash, and for one process at a time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from shared.db.connect import Connection, connect
from shared.failpoint import NAMES
from shared.records.actions import retry
from shared.records.parts import PartState, store_parts
from shared.records.settle import settle
from shared.records.states import State
from shared.rollup.inputs import entered, inputs, inputs_by_minute
from shared.rollup.roller import rolled_until
from shared.rollup.rollup import Rollup, hold
from shared.rollup.thin import thin
from tests.support.rolled import assert_true
from tests.support.rows import store_article
from tests.support.spine import SLUG, claims, event, make_due, nothing, record, settlement, store_lane, take_in
from tests.support.waiting import until

pytestmark = pytest.mark.servers
POINTS = sorted(name for name in NAMES if name.startswith("rollup."))
PROGRAM = """
import sys
from shared.db.connect import connect
from shared.failpoint import Failpoints
from shared.rollup.rollup import Rollup
with connect(sys.argv[1], "tests") as conn:
    Rollup(Failpoints(sys.argv[2]), lag=0.0).round(conn)
"""


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        store_lane(opened, "shop-2")
        # A few records make several chunks.
        opened.execute("ALTER SEQUENCE records_id_seq INCREMENT BY 3000")
        yield opened


def rollup() -> Rollup:
    return Rollup(nothing, lag=0.0, check=0.0)


def test_each_part_of_an_export_is_counted_with_its_state(conn: Connection) -> None:
    take_in(conn, event("A"), event("B"), event("C"), event("D"))
    for key, state in (("A", "done"), ("B", "pending"), ("D", "failed")):
        row = record(conn, key, flow="order-export")
        conn.execute(
            "UPDATE records SET state = %s, due_at = CASE WHEN %s = 'pending' THEN now() END WHERE id = %s",
            (state, state, row["id"]),
        )
        conn.execute("INSERT INTO parts(record_id, part, state) VALUES (%s, 'tracking', 'done')", (row["id"],))
    counted = rollup().round(conn)["connect_records"]
    assert counted == {
        ("order-import", SLUG, "erp", "pending"): 4,
        ("order-export", SLUG, "status", "never"): 2, ("order-export", SLUG, "status", "pending"): 1,
        ("order-export", SLUG, "tracking", "done"): 1, ("order-export", SLUG, "tracking", "never"): 1,
        ("order-export", SLUG, "tracking", "pending"): 1,
        # It failed as a whole, for instance by five lost workers: no part says so.
        ("order-export", SLUG, "status", "failed"): 1, ("order-export", SLUG, "tracking", "failed"): 1,
    }  # fmt: skip


class History:
    """Things that happen, in an order that a seed draws."""

    def __init__(self, conn: Connection, seed: int, *, vanishing: bool = False) -> None:
        self.conn, self.dice, self.count = conn, Random(seed), 0
        self.verbs = [self.come, self.come, self.refuse, self.work, self.work, self.again, self.list]
        self.verbs += [self.vanish] * vanishing

    def happen(self) -> None:
        """One more thing."""
        self.dice.choice(self.verbs)()

    def come(self) -> None:
        some = []
        for _ in range(self.dice.randrange(1, 4)):
            self.count += 1
            some.append(event(f"n-{self.count}", interface=self.dice.choice((SLUG, "shop-2"))))
        take_in(self.conn, *some)

    def refuse(self) -> None:
        take_in(self.conn, b"{}", event("x", interface=f"nobody-{self.dice.random()}"))

    def work(self) -> None:
        """Of exports, too: with parts, or as a whole."""
        settled = []
        for held in claims(self.conn, 3, slug=self.dice.choice((SLUG, "shop-2"))):
            state = self.dice.choice((State.DONE, State.FAILED, State.WAITING, State.WARNING, State.PENDING))
            settled.append(settlement(held, state, *(("sku:A",) if state in (State.FAILED, State.WAITING) else ())))
        settle(self.conn, settled)
        row = self.conn.execute(
            "SELECT id, seq FROM records WHERE flow = 'order-export' ORDER BY md5(id || %s) LIMIT 1",
            (str(self.dice.random()),),
        ).fetchone()
        if row is not None:
            self._export(row[0], self.dice.random() < 0.5)

    def _export(self, id_: int, in_parts: bool) -> None:
        """As claim and settle write it."""
        state = self.dice.choice(("done", "failed", "waiting"))
        with self.conn.transaction():
            for from_state, to_state in (("never", "pending"), ("pending", "running")):
                self.conn.execute(
                    "INSERT INTO transitions(record_id, seq, at, stage, from_state, to_state) SELECT id, seq + 1,"
                    " clock_timestamp(), 'marketplace', %s, %s FROM records WHERE id = %s",
                    (from_state, to_state, id_),
                )
                self.conn.execute("UPDATE records SET seq = seq + 1 WHERE id = %s", (id_,))
            self.conn.execute(
                "WITH u AS (UPDATE records SET seq = seq + 1, state = %s, updated_at = now(),"
                " due_at = CASE WHEN %s = 'waiting' THEN now() END WHERE id = %s RETURNING id, seq)"
                " INSERT INTO transitions(record_id, seq, stage, from_state, to_state, code)"
                " SELECT id, seq, 'marketplace', 'running', %s, 'remote-timeout' FROM u",
                (state, state, id_, state),
            )
            if in_parts:
                store_parts(self.conn, [(id_, 1, PartState("status", State(state)))])

    def again(self) -> None:
        ids = [row[0] for row in self.conn.execute("SELECT id FROM records WHERE state = 'failed' LIMIT 2")]
        retry(self.conn, ids, "somebody")
        make_due(self.conn, *(f"n-{n}" for n in range(self.count)))

    def list(self) -> None:
        """An article is listed: a record that no transition tells of."""
        self.count += 1
        store_article(self.conn, f"SKU-{self.count}", state="never")

    def vanish(self) -> None:
        """What no transition tells of."""
        self.conn.execute(
            "UPDATE records SET test = true WHERE id = (SELECT max(id) FROM records WHERE state = 'never')"
        )


def until_checked(conn: Connection, rolling: Rollup) -> dict[str, dict[tuple[str, ...], float]]:
    """Rounds until every chunk had its turn."""
    figures = rolling.round(conn)
    for _ in rolling.chunks.counts:
        figures = rolling.round(conn)
    return figures


@pytest.mark.parametrize("seed", range(3))
def test_after_any_history_it_shows_what_is_there(conn: Connection, seed: int) -> None:
    history, rolling, corrected = History(conn, seed, vanishing=seed == 0), rollup(), 0
    before: dict[tuple[str, ...], float] = {}
    for step in range(40):
        history.happen()
        if history.dice.random() < 0.2:
            shown = rolling.round(conn)
            corrected += rolling.corrected
            if step % 3 == 0:
                rolling = rollup()  # another process goes on
            now = shown["connect_recorded_transitions_total"]
            assert all(now[labels] >= count for labels, count in before.items()), "a counter never goes back"
            before = now
    if seed:
        assert_true(conn, rolling.round(conn))
        assert corrected == 0, "the self check has nothing to do"
    assert_true(conn, until_checked(conn, rolling))


@pytest.mark.faults
def test_a_crash_at_any_point_counts_nothing_twice_and_loses_nothing(conn: Connection, database_url: str) -> None:
    history = History(conn, 7, vanishing=True)
    for point in POINTS:
        for _ in range(8):
            history.happen()
        died = subprocess.run(
            [sys.executable, "-c", PROGRAM, database_url, f"{point}:kill@1"], check=False, timeout=60,
            cwd=Path(__file__).resolve().parents[2],
        )  # fmt: skip
        assert died.returncode == -9, point
        assert_true(conn, until_checked(conn, rollup()))


def test_what_is_committed_late_is_not_lost(conn: Connection, database_url: str) -> None:
    """Rows are dated by the beginning of their transaction; one that is under way holds up what is folded."""
    rolling = rollup()
    rolling.round(conn)
    with connect(database_url, "late") as late:
        with late.transaction():
            take_in(late, event("late"))
            take_in(conn, event("soon"))
            shown = rolling.round(conn)
            pending = "order-import", SLUG, "erp", "pending"
            assert shown["connect_recorded_transitions_total"][pending] == 1
            assert shown["connect_records"][pending] == 1
        assert_true(conn, rolling.round(conn))
    assert_true(conn, rolling.round(conn))


def test_what_came_later_than_any_transaction_should_take_is_found_by_the_check(conn: Connection) -> None:
    rolling = rollup()
    take_in(conn, event("A"))
    rolling.round(conn)
    conn.execute("UPDATE rollup_watch SET compared = date_trunc('minute', now()) - interval '40 minutes'")
    conn.execute("INSERT INTO arrivals(event, interface, inputs, received_at) VALUES"
                 " ('order-imported', %s, 5, now() - interval '30 minutes')", (SLUG,))  # fmt: skip
    conn.execute("DELETE FROM records WHERE flow = 'order-export'")
    figures = until_checked(conn, rolling)
    assert figures["connect_recorded_inputs_total"]["order-imported", SLUG] == 6
    assert figures["connect_records"] == {("order-import", SLUG, "erp", "pending"): 1}
    assert figures["connect_rollup_corrections_total"][()] == rolling.corrected >= 5
    assert_true(conn, rolling.round(conn))


def test_an_old_history_is_folded_in_pieces_and_shown_when_that_is_done(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in(conn, *(event(f"n-{n}") for n in range(9)))
    conn.execute("SELECT make_transition_months(1)")
    conn.execute("UPDATE transitions SET at = at - record_id / 3000 * interval '1 minute'")
    rolling = rollup()
    rolling.roller.step = timedelta(seconds=1)
    shown = rolling.round(conn)
    assert not rolling.behind
    assert_true(conn, shown)
    conn.execute("UPDATE rollup_watch SET rolled = NULL")
    conn.execute("DELETE FROM rollup_totals")
    monkeypatch.setattr("shared.rollup.rollup.ROLLING_SECONDS", 0.0)
    rolling = rollup()
    shown = rolling.round(conn)
    assert "connect_recorded_transitions_total" not in shown
    assert shown["connect_flow_live"], "what stands now is shown meanwhile"


def test_one_holds_until_its_connection_ends(conn: Connection, database_url: str) -> None:
    with connect(database_url, "one") as one:
        assert hold(one)
        assert not hold(conn)
    assert until(lambda: hold(conn), "the database has noticed")


def test_periods_are_read_by_the_minute_and_by_the_hour(conn: Connection) -> None:
    now = datetime.now(UTC)
    hour = (now - timedelta(days=50)).replace(minute=0, second=0, microsecond=0)
    rows = [(hour + timedelta(minutes=n), 2) for n in (0, 5, 59, 61)] + [(now - timedelta(minutes=3), 4)]
    for at, count in rows:
        conn.execute("INSERT INTO arrivals(event, interface, inputs, received_at) VALUES"
                     " ('stock-changed', %s, %s, %s)", (SLUG, count, at))  # fmt: skip
    place = SLUG, "stock"
    assert sum(inputs(conn, now - timedelta(hours=1), now)[place]) == 4, "before anything is folded"
    conn.execute("UPDATE rollup_watch SET rolled = %s", (hour - timedelta(minutes=1),))
    rolling = rollup()
    rolling.round(conn)
    assert (rolled_until(conn) or hour) > now - timedelta(minutes=1)
    week = hour, hour + timedelta(hours=2)
    assert inputs(conn, *week, timedelta(hours=1))[place] == [6, 2]
    assert list(inputs_by_minute(conn, *week)[place].values()) == [2, 2, 2, 2]
    conn.execute("UPDATE rollup_inputs SET minute = minute - interval '20 days'")
    week = week[0] - timedelta(days=20), week[1] - timedelta(days=20)
    hour = week[0]
    assert thin(conn) > 0
    assert inputs_by_minute(conn, *week)[place] == {hour: 6, hour + timedelta(hours=1): 2}
    assert thin(conn) == 0, "what is thin stays as it is"
    take_in(conn, event("A"))
    since, until = now - timedelta(minutes=1), now + timedelta(minutes=5)
    assert inputs(conn, since, until, timedelta(minutes=6), interface=SLUG, flow="order-import") == {
        (SLUG, "order-import"): [1, 0]
    }
    rolling.round(conn)
    assert sum(entered(conn, since, until, timedelta(minutes=1), ["pending"])[SLUG, "order-import", "pending"]) == 1
    conn.execute("UPDATE rollup_inputs SET minute = minute - interval '400 days'")
    thin(conn)
    assert inputs(conn, hour - timedelta(days=500), hour, timedelta(days=1)) == {}
    with pytest.raises(ValueError, match="a minute at least"):
        inputs(conn, hour, now, timedelta(seconds=1))
