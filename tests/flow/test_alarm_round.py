"""Rounds of the alert service against a real database: what stands, what is decided, what is queued."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.alarms import links, planned, subscriptions
from shared.alarms.ledger import ledger
from shared.alarms.lookback import past_of, told
from shared.alarms.planned import Maintenance
from shared.alarms.round import play
from shared.alarms.wanted import Alarm
from shared.db.connect import Connection, connect
from shared.db.migrate import migrate
from tests.support.stored import store_interface, store_record

pytestmark = [pytest.mark.servers]
UNMAPPED = [{"code": "payment-unmapped", "field": "", "values": {"payment": "PAYPAL"}}]
KEPT_BEFORE = """UPDATE subscriptions s SET plan = s.plan || jsonb_build_object('incidents', jsonb_build_array(
    (s.plan -> 'incidents' -> 0 || jsonb_build_object(
        'cause', jsonb_build_array(interface, flow, code, key), 'since', since)) - 'of'))
    FROM incidents WHERE jsonb_path_exists(s.plan, '$.incidents[0]')"""
"""A plan as it was kept before incidents had their number in it."""


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    migrate(database_url)
    with connect(database_url, "tests") as opened:
        yield opened


def fail(conn: Connection, number: str) -> int:
    """An order that fails now."""
    return store_record(conn, number, state="failed", code="payment-unmapped", reason=UNMAPPED)


def decided(conn: Connection) -> list[tuple[str, int]]:
    rows = conn.execute("SELECT what, cardinality(incidents) FROM alarm_decisions ORDER BY id").fetchall()
    return [(what, count) for what, count in rows]


def test_a_failing_order_is_queued_once_for_each_who_asked(conn: Connection) -> None:
    store_interface(conn, "otto-de")
    alarm = Alarm(name="Night", interfaces=("otto-de",), recipients=("a@example.org", "b@example.org"))
    subscriptions.add(conn, alarm, "anna", "Europe/Berlin", verified=True)
    subscriptions.add(conn, Alarm(name="Else", interfaces=("otto-at",)), "anna", "Europe/Berlin", verified=True)
    play(conn)
    fail(conn, "1")
    first = play(conn)
    assert first is not None
    assert (first.opened, first.mails, dict(first.decided)) == (1, 2, {"opened": 1})
    fail(conn, "2")
    assert (again := play(conn)) is not None
    assert again.mails == 0, "one more of the same"
    assert decided(conn)[0] == ("opened", 1)
    row = conn.execute("SELECT interface, code, key, severity, records, ended FROM incidents").fetchone()
    assert row is not None
    assert (row[0], row[1], row[3:]) == ("otto-de", "payment-unmapped", ("error", 2, None))
    conn.execute(KEPT_BEFORE)
    conn.execute("UPDATE records SET state = 'done', code = NULL, reason = NULL")
    play(conn)
    conn.execute("UPDATE alarm_watch SET standing = replace(standing::text, %s, %s)::jsonb", ("PT2M", "PT0S"))
    assert (last := play(conn)) is not None
    assert dict(last.decided) == {"resolved": 1}
    threads = conn.execute("SELECT count(DISTINCT coalesce(thread, message_id)), count(*) FROM mails").fetchone()
    assert threads == (2, 4), "one thread for each of the two"


@pytest.mark.parametrize(("filter_", "mails"), [("1001", 1), ("1002", 0)])
def test_a_filter_lets_through_what_matches_it(conn: Connection, filter_: str, mails: int) -> None:
    store_interface(conn, "otto-de")
    alarm = Alarm(name="Some", filter=filter_, recipients=("a@example.org",))
    subscriptions.add(conn, alarm, "anna", "UTC", verified=True)
    fail(conn, "1001")
    found = play(conn)
    assert found is not None
    assert found.mails == mails


def test_what_a_look_missed_is_found_by_the_check_of_everything(conn: Connection) -> None:
    store_interface(conn, "otto-de")
    play(conn)
    fail(conn, "1")
    conn.execute("UPDATE troubles SET entered_at = entered_at - %s", (timedelta(minutes=1),))
    assert (blind := play(conn)) is not None
    assert blind.facts == 0
    conn.execute("UPDATE alarm_watch SET checked = 'epoch'")
    assert (seeing := play(conn)) is not None
    assert seeing.opened == 1


def night(conn: Connection, **more: Any) -> int:
    alarm = Alarm(name="Night", interfaces=("otto-de",), recipients=("a@example.org",), **more)
    return subscriptions.add(conn, alarm, "anna", "Europe/Berlin", verified=True)


def test_an_alarm_made_late_is_told_at_once_what_is_open_and_the_look_back_says_the_same(conn: Connection) -> None:
    store_interface(conn, "otto-de")
    fail(conn, "1")
    play(conn)
    since = conn.execute("SELECT since FROM incidents").fetchone()
    number = night(conn)
    first = play(conn)
    assert first is not None
    assert (first.mails, dict(first.decided)) == (1, {"opened": 1})
    second = play(conn)
    assert second is not None
    assert second.mails == 0
    items = ledger(conn, number)["items"]
    assert [row["incidents"][0]["since"] for row in items] == [since[0] if since else None]
    alarm = subscriptions.alarm_of(subscriptions.listed(conn, number)[0])
    found = told(conn, alarm, "Europe/Berlin", past_of(conn, first.at, second.at))
    assert [(str(one.what), one.at) for one in found] == [(row["what"], row["at"]) for row in items]
    assert subscriptions.pause(conn, number, "anna")
    fail(conn, "2")
    play(conn)
    assert subscriptions.resume(conn, number, "anna")
    play(conn)
    said = [(row["what"], row["by"]) for row in ledger(conn, number)["items"]]
    assert said == [("opened", None), ("resumed", "anna"), ("paused", "anna"), ("opened", None)]


def test_maintenance_holds_mails_back_until_it_is_over_or_ended(conn: Connection) -> None:
    store_interface(conn, "otto-de")
    number = night(conn)
    now = datetime.now(UTC)
    window = planned.plan(conn, Maintenance(starts=now - timedelta(hours=1), ends=now + timedelta(hours=1)), "anna")
    fail(conn, "1")
    assert (held := play(conn)) is not None
    assert (held.mails, dict(held.decided)) == (0, {"maintenance": 1})
    found = ledger(conn, number)
    assert found["items"][0]["until"] == now + timedelta(hours=1) == found["next"]["at"]
    assert planned.end(conn, window)
    assert (after := play(conn)) is not None
    assert (after.mails, dict(after.decided)) == (1, {"opened": 1})


@pytest.mark.parametrize("point", ["alarm.judged", "alarm.decided"])
def test_an_answer_given_in_the_middle_of_a_round_is_heard_by_the_next_one(
    conn: Connection, database_url: str, point: str
) -> None:
    store_interface(conn, "otto-de")
    number = night(conn)
    fail(conn, "1")
    play(conn)
    row = conn.execute("SELECT id FROM incidents").fetchone()
    assert row is not None

    def answered(at: str) -> None:
        if at == point:
            with connect(database_url, "somebody") as other:
                links.answer(other, row[0], "jana", later=point == "alarm.judged")

    fail(conn, "2")
    play(conn, failpoint=answered)
    assert (heard := play(conn)) is not None
    what = "snoozed" if point == "alarm.judged" else "acknowledged"
    said = [one["at"] for one in ledger(conn, number)["items"] if (one["what"], one["by"]) == (what, "jana")]
    assert len(said) == 1, "once, whichever round it was"
    assert (said[0] == heard.at) is (point == "alarm.decided")
    assert conn.execute("SELECT count(*) FROM alarm_answers WHERE handled IS NULL").fetchone() == (0,)
