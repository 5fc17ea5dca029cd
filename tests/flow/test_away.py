"""While a remote system is away, what waits for it says so, in the list and in the record, and since when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shared.db.connect import Connection, connect
from shared.errors.problem import Problem
from shared.records.filter import parse
from shared.records.give_up import give_up
from shared.records.history import find_records, history, read_record
from shared.records.listing import list_records
from shared.records.settle import settle
from shared.records.states import State
from shared.runtime.breaker import Looks, close_breaker, open_breaker
from tests.support.spine import (
    SLUG,
    assert_sound,
    claims,
    codes,
    event,
    record,
    settlement,
    states,
    store_lane,
    take_in,
)

pytestmark = pytest.mark.servers
LIMITS = {"remote-timeout": 432_000.0}


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        yield opened


def tried(conn: Connection, *keys: str) -> None:
    """These were tried in vain."""
    take_in(conn, *(event(key) for key in keys))
    problem = Problem("remote-timeout", values={"system": "Xentral", "detail": "read-order"})
    settle(
        conn,
        [
            settlement(one, State.WAITING, f"erp:{SLUG}", after=60.0, tries=1, trying=True, problems=(problem,))
            for one in claims(conn)
        ],
    )


def shown(conn: Connection, language: Any = "en") -> dict[str, Any]:
    page = list_records(conn, "order-import", parse("", ZoneInfo("UTC")), language=language)
    return {item["key"]: item for item in page.items}


def test_tried_and_untried_ones_say_that_the_erp_is_away_and_since_when(conn: Connection) -> None:
    tried(conn, "tried")
    open_breaker(conn, SLUG, "erp", "remote-timeout", Looks())
    take_in(conn, event("untried"), event("announced", status="announced"))
    row = conn.execute("SELECT opened_at FROM side_states WHERE breaker <> 'closed'").fetchone()
    assert row is not None
    for language, words in (("de", f"{SLUG} antwortet seit"), ("en", f"{SLUG} has not answered since")):
        found = shown(conn, language)
        assert {key: item["state"] for key, item in found.items() if key != "announced"} == {
            "tried": "waiting", "untried": "pending",
        }  # fmt: skip
        for key in ("tried", "untried"):
            (record_id,) = find_records(conn, "order-import", key)
            for item in (found[key], read_record(conn, record_id, language=language)):
                assert item is not None
                assert item["away_since"] == row[0]
                assert words in item["reason"]["sentence"]
                assert f"{row[0]:%Y-%m-%d %H:%M} UTC" in item["reason"]["sentence"]
                assert [one["code"] for one in item["reason"]["problems"]] == ["waits-for-erp", "remote-timeout"]
                assert "‹" not in str(item["reason"])
        assert found["announced"]["away_since"] is None
    assert "waits-for-erp" not in codes(conn, "tried"), "it is told, and not stored"
    close_breaker(conn, SLUG, "erp")
    assert {item["away_since"] for item in shown(conn).values()} == {None}


def test_the_other_side_and_other_interfaces_are_not_meant(conn: Connection) -> None:
    store_lane(conn, "shop-2")
    take_in(conn, event("A"), event("B", interface="shop-2"))
    open_breaker(conn, SLUG, "marketplace", "remote-timeout", Looks())
    assert {item["away_since"] for item in shown(conn).values()} == {None}
    open_breaker(conn, "shop-2", "erp", "remote-timeout", Looks())
    found = shown(conn)
    assert (found["A"]["away_since"], found["B"]["away_since"] is None) == (None, False)


def test_after_five_days_what_was_tried_is_red_although_nobody_claims_it(conn: Connection) -> None:
    tried(conn, "old", "young", "later")
    open_breaker(conn, SLUG, "erp", "remote-timeout", Looks())
    take_in(conn, event("untried"))
    for key, days, minutes in (("old", 5, 0), ("young", 4, 0), ("later", 5, 1)):
        conn.execute(
            "UPDATE records SET trying_since = now() - make_interval(days => %s),"
            " due_at = now() + make_interval(mins => %s) WHERE flow = 'order-import' AND key = %s",
            (days, minutes, key),
        )
    assert give_up(conn, "erp", SLUG, LIMITS) == 1
    assert give_up(conn, "erp", "shop-2", LIMITS) == 0
    assert states(conn) == {"later": "waiting", "old": "failed", "untried": "pending", "young": "waiting"}
    assert record(conn, "old")["code"] == "gave-up"
    (record_id,) = find_records(conn, "order-import", "old")
    newest = history(conn, record_id)[0]
    assert [one["code"] for one in newest["reason"]] == ["gave-up", "remote-timeout"]
    assert "by hand" in str(newest["reason"][0]["steps"])
    assert close_breaker(conn, SLUG, "erp") == 2, "it does not go on by itself any more"
    assert_sound(conn)
