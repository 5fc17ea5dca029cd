"""Bulk runs: chosen as of the click, undone without a trace, up the ramp, stopped by failures, order-safe, and once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from shared.db.connect import Connection, connect
from shared.failpoint import Failpoints, Planted
from shared.records.actions import retry
from shared.records.bulk import How, preview, start
from shared.records.bulk_end import cancel, go_on
from shared.records.bulk_read import list_runs, read_run
from shared.records.bulk_steps import move
from shared.records.filter import parse
from shared.records.settle import settle
from shared.records.states import State
from shared.runtime.edit import edit_order
from tests.support.spine import assert_sound, claims, codes, event, nothing, record, settlement, take_in
from tests.support.stored import store_interface, store_record

pytestmark = pytest.mark.servers
ZONE = ZoneInfo("Europe/Berlin")
FAILED = parse("state:failed", ZONE)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_interface(opened)
        yield opened


def _orders(conn: Connection, many: int, **columns: Any) -> list[int]:
    row = {"state": "failed", "code": "remote-timeout", "seq": 3, **columns}
    return [store_record(conn, f"{columns.get('code', 'n')}-{n:03}", **row) for n in range(many)]


def _go(conn: Connection, run: str) -> dict[str, Any]:
    """Time passes: its next step is due."""
    conn.execute("UPDATE bulk_runs SET begins_at = least(begins_at, now()), due_at = now() WHERE due_at IS NOT NULL")
    assert move(conn, ZONE, nothing) == UUID(run)
    return _read(conn, run)


def _read(conn: Connection, run: str) -> dict[str, Any]:
    found = read_run(conn, UUID(run))
    assert found is not None
    return found


def _settle(conn: Connection, state: str = "done", most: int = 10_000) -> int:
    """Workers do what is due."""
    return conn.execute(
        "UPDATE records SET state = %s, seq = seq + 1, due_at = NULL WHERE id IN"
        " (SELECT id FROM records WHERE state = 'pending' ORDER BY id LIMIT %s)",
        (state, most),
    ).rowcount


def _retried(conn: Connection) -> list[int]:
    """How often each record was set due by hand."""
    rows = conn.execute("SELECT count(*) FROM transitions WHERE code = 'retried' GROUP BY record_id")
    return [row[0] for row in rows.fetchall()]


def test_a_run_goes_up_the_ramp_and_names_what_it_left_alone(conn: Connection) -> None:
    ids = _orders(conn, 60)
    _orders(conn, 2, code="ignored", state="skipped")
    everything = parse("state:failed|skipped", ZONE)
    run = start(conn, "order-import", "retry", "erika", filter=everything, excepted=ids[:2])
    assert (run["state"], run["counts"]) == ("undo-window", {"matched": 60, "done": 0, "skipped": 0})
    assert move(conn, ZONE, nothing) == UUID(run["id"])
    assert move(conn, ZONE, nothing) is None, "it waits until nobody can undo it"
    retry(conn, [ids[2]], "mara")  # somebody was faster
    store_record(conn, "later", state="failed", code="remote-timeout")  # matches, but came after the click
    conn.execute("UPDATE records SET payload_no = 2, seq = 5 WHERE id = %s", (ids[4],))
    sizes, told = [], run
    while told["state"] not in ("done", "stopped"):
        told = _go(conn, run["id"])
        if done := _settle(conn):
            sizes.append(done)
    assert sizes == [1, 1, 4, 25, 26], "first that of Mara; the newer version takes a place in the second step"
    assert told["counts"] == {"matched": 60, "done": 56, "skipped": 4}
    assert told["left"] == {"ignored": 2, "newer-version": 1, "on-its-way": 1}
    assert told["progress"]["succeeded"] == 56
    assert max(_retried(conn)) == 1
    states = dict(conn.execute("SELECT id, state FROM records WHERE id = ANY(%s)", (ids,)).fetchall())
    assert [states[ids[0]], states[ids[1]]] == ["failed", "failed"]
    assert conn.execute("SELECT state FROM records WHERE key = 'later'").fetchone() == ("failed",)
    assert [one["id"] for one in list_runs(conn)] == [run["id"]]


def test_undone_in_time_nothing_was_touched_and_cancelled_later_what_is_done_stays(conn: Connection) -> None:
    _orders(conn, 40)
    first = start(conn, "order-import", "retry", "erika", filter=FAILED)
    assert cancel(conn, UUID(first["id"]), "erika") is True
    assert cancel(conn, UUID(first["id"]), "erika") is False, "a double click"
    assert _retried(conn) == []
    assert (_read(conn, first["id"])["state"], _read(conn, first["id"])["code"]) == ("cancelled", "undone")
    second = start(conn, "order-import", "retry", "erika", filter=FAILED, how=How(undo_seconds=0, ramp=False))
    _go(conn, second["id"])
    assert len(_retried(conn)) == 40
    slow = How(undo_seconds=0, per_minute=1)
    third = start(conn, "order-import", "retry", "erika", filter=parse("", ZONE), how=slow)
    assert cancel(conn, UUID(third["id"]), "mara") is True
    assert _read(conn, third["id"])["ended_by"] == "mara"
    _settle(conn)
    assert _go(conn, second["id"])["state"] == "done"


def test_it_stops_where_too_many_fail_again_and_goes_on_when_told_to(conn: Connection) -> None:
    _orders(conn, 40)
    run = start(conn, "order-import", "retry", "erika", filter=FAILED, how=How(undo_seconds=0))["id"]
    _go(conn, run)
    _settle(conn)
    _go(conn, run)
    assert _settle(conn, "failed", 2) == 2
    assert _go(conn, run)["state"] == "running", "the others of the step are not through"
    _settle(conn)
    told = _go(conn, run)
    assert (told["state"], told["code"], told["progress"]["failed"]) == ("stopped", "too-many-fail", 2)
    assert [one["code"] for one in told["failed_again"]] == ["remote-timeout"] * 2
    assert len(_retried(conn)) == 6, "the rest was not touched"
    assert go_on(conn, UUID(run)) is True
    _go(conn, run)
    assert len(_retried(conn)) == 40
    _settle(conn)
    _go(conn, run)
    assert _read(conn, run)["state"] == "done"


def test_two_operators_and_double_clicks_set_each_record_due_once(conn: Connection, database_url: str) -> None:
    ids = _orders(conn, 80)
    token = uuid4()
    began = threading.Barrier(6)
    runs: list[str] = []

    def click(actor: str, how: How, some: list[int] | None) -> None:
        with connect(database_url, "clicks") as own:
            began.wait(30)
            wanted = None if some else FAILED
            runs.append(start(own, "order-import", "retry", actor, ids=some, filter=wanted, how=how)["id"])

    same = How(undo_seconds=0, token=token)
    clicks: list[tuple[str, How, list[int] | None]] = [
        ("erika", same, None), ("erika", same, None), ("mara", How(undo_seconds=0, ramp=False), None),
        ("mara", How(), ids[:20]), ("erika", How(), ids[10:30]), ("kim", How(undo_seconds=0), ids[5:75]),
    ]  # fmt: skip
    threads = [threading.Thread(target=click, args=one) for one in clicks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(runs) == 6
    assert len(set(runs)) == 5, "the form that was sent twice is one run"

    def moves() -> None:
        with connect(database_url, "runner") as own:
            while move(own, ZONE, nothing) is not None:
                pass

    for _ in range(8):
        conn.execute("UPDATE bulk_runs SET due_at = now() WHERE due_at IS NOT NULL")
        pair = [threading.Thread(target=moves) for _ in range(2)]
        for thread in pair:
            thread.start()
        for thread in pair:
            thread.join(60)
        _settle(conn)
    assert _retried(conn) == [1] * 80
    told = [_read(conn, run) for run in set(runs)]
    assert {one["state"] for one in told} == {"done"}
    assert sum(one["counts"]["done"] for one in told) == 80


@pytest.mark.parametrize("point", ["runs.judged", "runs.set-due", "runs.moved"])
def test_a_runner_that_dies_leaves_its_step_to_the_next(conn: Connection, database_url: str, point: str) -> None:
    _orders(conn, 30)
    run = start(conn, "order-import", "retry", "erika", filter=FAILED, how=How(undo_seconds=0, ramp=False))["id"]
    with connect(database_url, "dies") as own, pytest.raises(Planted):
        move(own, ZONE, Failpoints(f"{point}:raise"))
    assert len(_retried(conn)) == (30 if point == "runs.moved" else 0)
    _go(conn, run)
    _settle(conn)
    _go(conn, run)
    assert _read(conn, run)["progress"]["succeeded"] == 30
    assert _retried(conn) == [1] * 30


def test_a_correction_keeps_what_was_received_and_gives_way_to_a_newer_version(conn: Connection) -> None:
    take_in(conn, event("A", name="first"))
    row = record(conn, "A")
    settle(conn, [settlement(claims(conn)[0], State.FAILED, "sku:X")])
    data = json.loads(event("A"))["data"]
    broken = {**data, "order": {**data["order"], "lines": [{"id": "1", "sku": "X", "quantity": -1}], "number": "B"}}
    said = edit_order(conn, row["id"], broken, "erika")
    assert said is not None
    assert (said.refused, record(conn, "A")["payload_no"]) == ("problems", 1)
    renamed = edit_order(conn, row["id"], {**data, "order": {**data["order"], "number": "B"}}, "erika")
    assert renamed is not None
    assert [one.code for one in renamed.problems] == ["edit-renames"]
    better = {**data, "order": {**data["order"], "payment": {"method": "INVOICE_SINGLE", "reference": "42"}}}
    shown = edit_order(conn, row["id"], better, "erika", dry_run=True)
    assert shown is not None
    assert [(one["path"], one["after"]) for one in shown.changes] == [("order.payment.reference", "42")]
    assert not shown.stored
    with pytest.raises(Planted):
        edit_order(conn, row["id"], better, "erika", failpoint=Failpoints("edit.stored:raise"))
    stored = edit_order(conn, row["id"], better, "erika", seen=1, why="the shop said so")
    assert stored is not None
    assert (stored.stored, stored.payload_no) == (True, 2)
    assert getattr(edit_order(conn, row["id"], data, "mara", seen=1), "refused", None) == "overtaken"
    assert (record(conn, "A")["state"], codes(conn, "A")[-1]) == ("pending", "edited")
    bodies = conn.execute("SELECT body FROM payloads WHERE record_id = %s ORDER BY no", (row["id"],)).fetchall()
    assert [json.loads(body)["data"] == better for (body,) in bodies] == [False, True]
    assert_sound(conn)
    take_in(conn, event("A", name="again"))  # what was received, once more
    assert record(conn, "A")["payload_no"] == 2, "a duplicate leaves the correction alone"
    newer = datetime.now(UTC)
    take_in(conn, event("A", time=newer, changed_at=newer.isoformat(), status="open", total="40.00"))
    assert record(conn, "A")["payload_no"] == 3
    assert_sound(conn)
    assert conn.execute("SELECT verb, reason FROM audit").fetchall() == [("orders.edit", "the shop said so")]


def test_a_preview_says_why_and_ignoring_is_taken_back_to_what_was(conn: Connection) -> None:
    reason = [{"code": "payment-unmapped", "field": "", "values": {"payment": "PAYPAL"}}]
    hopeless = _orders(conn, 3, code="payment-unmapped", reason=reason)
    done = _orders(conn, 2, code="done", state="done")
    store_record(conn, "busy", state="running")
    told = preview(conn, "order-import", ids=None, filter=parse("", ZONE), leave=["finished"])
    assert told["counts"] == {
        "matched": 6, "by_state": {"done": 2, "failed": 3, "running": 1}, "already_on_their_way": 1,
        "nothing_to_send": 0, "run": 3,
    }  # fmt: skip
    assert (told["left"], told["would_fail_again"]) == ({"finished": 2, "on-its-way": 1}, {"payment-unmapped": 3})
    how = How(why="test orders")
    run = start(conn, "order-import", "ignore", "erika", ids=[*hopeless, *done], how=how)
    assert (run["state"], run["counts"]["done"], run["left"]) == ("done", 3, {"finished": 2})
    row = conn.execute("SELECT state, code, reason FROM records WHERE id = %s", (hopeless[0],)).fetchone()
    assert row is not None
    assert (row[0], row[1], row[2][0]["values"]["why"]) == ("skipped", "ignored", "test orders")
    assert start(conn, "order-import", "ignore", "erika", ids=hopeless, how=how)["left"] == {"ignored": 3}
    assert start(conn, "order-import", "retry", "erika", ids=hopeless)["left"] == {"ignored": 3}
    back = start(conn, "order-import", "unignore", "erika", ids=[*hopeless, done[0]])
    assert (back["counts"]["done"], back["left"]) == (3, {"not-ignored": 1})
    row = conn.execute("SELECT state, code, reason FROM records WHERE id = %s", (hopeless[0],)).fetchone()
    assert row == ("failed", "payment-unmapped", reason)
    codes = conn.execute(
        "SELECT code, actor FROM transitions WHERE record_id = %s ORDER BY seq", (hopeless[0],)
    ).fetchall()
    assert codes == [("ignored", "erika"), ("ignored-no-more", "erika")]
