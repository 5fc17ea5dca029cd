"""Groups: who has which cause, followed through every way into and out of trouble; what goes on; what ended it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest

from shared.db.connect import Connection, connect
from shared.errors.catalogue import catalogue
from shared.errors.entry import VARIABLE
from shared.errors.problem import Problem
from shared.people.users import add_user
from shared.records.actions import retry
from shared.records.by_hand import mark_done_by_hand
from shared.records.card import error_card
from shared.records.causes import CauseChange, UnknownAssignee, change_cause
from shared.records.filter import FilterError, parse
from shared.records.groups import list_groups, read_group
from shared.records.history import read_record
from shared.records.interfaces import save_mapping
from shared.records.keys import raise_key
from shared.records.listing import list_records
from shared.records.settle import settle
from shared.records.states import State
from shared.records.told_groups import told
from tests.support.spine import (
    SLUG,
    assert_sound,
    claims,
    event,
    make_due,
    record,
    settlement,
    states,
    store_lane,
    take_in,
)
from tests.support.stored import store_record

pytestmark = pytest.mark.servers
BERLIN = ZoneInfo("Europe/Berlin")
MIGRATION = files("shared.db") / "migrations" / "0009_groups.sql"
TITLES = {"otto": "OTTO Market", "xentral": "Xentral"}


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        yield opened


def fail(conn: Connection, code: str, values: dict[str, str], *numbers: str, state: State = State.FAILED) -> None:
    """Take these orders in and let them fail so, waiting for the key of the catalogue where it has one."""
    take_in(conn, *(event(number) for number in numbers))
    end_as(conn, code, values, state=state)


def end_as(conn: Connection, code: str, values: dict[str, str], *, state: State = State.FAILED) -> None:
    key = catalogue()[code].key_for(values)
    problem = Problem(code, values=values, key=key)
    more = {"after": 3600.0} if state is State.WAITING else {}
    keys = (key,) if key else ()
    settle(conn, [settlement(one, state, *keys, problems=(problem,), **more) for one in claims(conn)])


def finish(conn: Connection, *numbers: str) -> None:
    """Whatever is pending is done."""
    make_due(conn, *numbers)
    settle(conn, [settlement(one, State.DONE, remote=f"X{one.key}", called=True, sent=True) for one in claims(conn)])


def groups(conn: Connection, shown: str = "open") -> dict[str, int]:
    """Code and value → how many."""
    found = list_groups(conn, BERLIN, shown=shown).items  # type: ignore[arg-type]
    return {f"{one['code']} {one['value'] or ''}".strip(): one["count"] for one in found}


def named(conn: Connection, code: str) -> str:
    """The only group of this code."""
    (found,) = conn.execute("SELECT DISTINCT cause FROM troubles WHERE code = %s", (code,)).fetchall()
    return str(found[0])


def test_a_saved_mapping_sends_its_group_on_and_is_what_is_told_the_next_time(conn: Connection) -> None:
    fail(conn, "payment-unmapped", {"payment": "PAYPAL"}, "A", "B", "C")
    fail(conn, "payment-unmapped", {"payment": "KLARNA"}, "D")
    assert groups(conn) == {"payment-unmapped PAYPAL": 3, "payment-unmapped KLARNA": 1}
    (most, _) = list_groups(conn, BERLIN).items
    retried = told(most, TITLES, "de")["remedy"]["retry"]
    assert (retried["goes_on"], retried["helps"], retried["key"]) == (True, False, "payment:PAYPAL")
    assert most["amounts"] == [{"currency": "EUR", "amount": "134.64"}]

    save_mapping(conn, SLUG, "payment", "PAYPAL", "7", "Jana")
    assert states(conn) == {"A": "pending", "B": "pending", "C": "pending", "D": "failed"}
    on_their_way = read_group(conn, BERLIN, most["id"])
    assert on_their_way is not None
    assert on_their_way["states"] == {"on_their_way": 3}
    finish(conn, "A", "B", "C")
    assert groups(conn) == {"payment-unmapped KLARNA": 1}
    assert groups(conn, "resolved") == {"payment-unmapped PAYPAL": 3}

    # It comes back, and says what helped.
    fail(conn, "payment-unmapped", {"payment": "PAYPAL"}, "E")
    again = read_group(conn, BERLIN, most["id"])
    assert again is not None
    last = again["last_time"]
    assert (again["status"], again["count"]) == ("open", 1)
    assert (last["by"], last["how"], last["target"], last["succeeded"], last["of"]) == ("Jana", "mapping", "7", 3, 3)
    assert_sound(conn)


def test_an_article_that_appears_lets_exactly_what_waits_for_it_go_on(conn: Connection) -> None:
    fail(conn, "sku-unknown", {"sku": "ABC-1"}, *(f"N{n}" for n in range(12)))
    fail(conn, "sku-unknown", {"sku": "XYZ"}, "other")
    assert raise_key(conn, SLUG, "sku:ABC-1") == 12
    finish(conn, *(f"N{n}" for n in range(12)))
    assert groups(conn) == {"sku-unknown XYZ": 1}
    (over,) = list_groups(conn, BERLIN, shown="resolved").items
    assert (over["count"], over["states"], over["last_time"]["how"]) == (12, {"done": 12}, "itself")
    assert states(conn)["other"] == "failed"
    assert_sound(conn)


def test_every_way_out_of_trouble_is_followed_and_another_cause_is_another_group(conn: Connection) -> None:
    fail(conn, "remote-timeout", {}, "A", "B", "C", state=State.WAITING)
    assert groups(conn) == {"remote-timeout": 3}
    waiting = told(list_groups(conn, BERLIN).items[0], TITLES, "en")
    assert (waiting["state"], waiting["remedy"]["retry"]["goes_on"]) == ("waiting", True)
    # A is found to have something else wrong, B is done by hand, C is retried by somebody and goes through.
    make_due(conn, "A")
    end_as(conn, "remote-refused", {"detail": 'Article "47-11" of 2026-11-23 is locked'})
    assert groups(conn) == {"remote-timeout": 2, "remote-refused article # of # is locked": 1}
    assert mark_done_by_hand(conn, record(conn, "B")["id"], "200417", "Mara") is not None
    retry(conn, [record(conn, "C")["id"]], "Mara")
    finish(conn, "C")
    assert groups(conn) == {"remote-refused article # of # is locked": 1}
    last = list_groups(conn, BERLIN, shown="resolved").items[0]["last_time"]
    assert (last["by"], last["of"], last["succeeded"]) == ("Mara", 2, 2)
    # The same refusal with other numbers is the same cause.
    fail(conn, "remote-refused", {"detail": "Article '5' of 2026-12-01 is locked"}, "D")
    assert groups(conn) == {"remote-refused article # of # is locked": 2}
    # Done with a remark is a group too, and nothing is at stake in it.
    take_in(conn, event("E"))
    end_as(conn, "total-differs", {"total": "1", "computed": "2"}, state=State.WARNING)
    remark = list_groups(conn, BERLIN).items[-1]
    assert (remark["code"], remark["amounts"], remark["due_today"]) == ("total-differs", [], 0)
    assert_sound(conn)


def test_notes_belong_to_the_cause_and_an_acknowledgement_to_one_trouble(conn: Connection) -> None:
    add_user(conn, "Jana Vogt", "correct-horse-battery", "operator")
    fail(conn, "payment-unmapped", {"payment": "PAYPAL"}, "A")
    group = named(conn, "payment-unmapped")
    change = CauseChange("asked <b>the</b> shop\0", "jana vogt", acknowledged=True)
    assert change_cause(conn, group, change, "Mara")
    assert groups(conn) == {}
    (known,) = list_groups(conn, BERLIN, shown="acknowledged").items
    assert (known["note"], known["assignee"], known["acknowledged_by"]) == (
        "asked <b>the</b> shop\ufffd", "Jana Vogt", "Mara",
    )  # fmt: skip
    assert conn.execute("SELECT verb, target->>'group' FROM audit ORDER BY id").fetchall() == [
        ("groups.note", group), ("groups.assign", group), ("groups.ack", group),
    ]  # fmt: skip
    with pytest.raises(UnknownAssignee) as unknown:
        change_cause(conn, group, CauseChange(assignee="nobody"), "Mara")
    assert unknown.value.names == ["Jana Vogt"]
    assert not change_cause(conn, "payment-unmapped-00000000", CauseChange("x"), "Mara")

    save_mapping(conn, SLUG, "payment", "PAYPAL", "7", "Jana")
    finish(conn, "A")
    fail(conn, "payment-unmapped", {"payment": "PAYPAL"}, "B")
    back = read_group(conn, BERLIN, group)
    assert back is not None
    assert (back["status"], back["note"], back["assignee"]) == ("open", known["note"], "Jana Vogt")
    assert change_cause(conn, group, CauseChange(note=" ", acknowledged=False), "Mara")
    assert conn.execute("SELECT note, assignee FROM causes").fetchone() == (None, "Jana Vogt")


def test_the_filter_finds_groups_and_whoever_takes_care(conn: Connection) -> None:
    add_user(conn, "Jana Vogt", "correct-horse-battery", "operator")
    fail(conn, "payment-unmapped", {"payment": "PAYPAL"}, "A", "B")
    fail(conn, "payment-unmapped", {"payment": "KLARNA"}, "C")
    take_in(conn, event("D"))
    rows = conn.execute("SELECT cause, count(*) FROM troubles GROUP BY cause ORDER BY 2 DESC").fetchall()
    paypal, klarna = (cause for cause, _ in rows)
    change_cause(conn, paypal, CauseChange(assignee="Jana Vogt"), "Mara")

    def found(text: str) -> str:
        page = list_records(conn, "order-import", parse(text, BERLIN), sort="number")
        return "".join(one["key"] for one in page.items)

    assert found(f"group:{paypal}") == "AB"
    assert found(f"group:{paypal}|{klarna}") == "ABC"
    assert found(f"-group:{paypal.upper()}") == "CD"
    assert found("group:payment-unmapped") == "ABC"
    assert found("group:payment-unmapped-00000000") == ""
    assert found('assignee:"jana vogt"') == "AB"
    assert found("assignee:none") == "CD"
    assert found('assignee:none|"Jana Vogt"') == "ABCD"
    assert found("-assignee:none") == "AB"
    retry(conn, [record(conn, "A")["id"]], "Mara")
    assert found(f"group:{paypal}") == "AB"  # one can watch it turn green
    with pytest.raises(FilterError) as wrong:
        parse("group:payment-unmaped-1f0a93bc", BERLIN)
    assert wrong.value.suggestion == "group:payment-unmapped-1f0a93bc"


def test_harm_orders_the_groups_and_the_day_ends_in_the_readers_zone(conn: Connection) -> None:
    def order(number: str, code: str, days: float, total: str = "10.00", **more: str) -> None:
        reason = [{"code": code, "field": "", "values": {}}]
        ship_by = conn.execute("SELECT now() + make_interval(secs => %s)", (days * 86400,)).fetchone()
        stored = store_record(conn, number, state="failed", code=code, reason=reason, ship_by=ship_by and ship_by[0])
        conn.execute(
            "UPDATE troubles SET amount = %s, currency = %s WHERE record_id = %s",
            (total, more.get("currency", "EUR"), stored),
        )

    order("A", "remote-refused", days=3, total="900.00")
    order("B", "payment-missing", days=-1, total="1.00")
    order("C", "tax-missing", days=3, total="2000.00", currency="CHF")
    order("D", "tax-missing", days=3, total="5.50")
    order("E", "worker-lost", days=3, total="5.00")
    order("F", "worker-lost", days=3, total="5.00")
    found = list_groups(conn, BERLIN).items
    assert [one["code"] for one in found] == ["payment-missing", "tax-missing", "remote-refused", "worker-lost"]
    assert (found[0]["due_today"], found[0]["overdue"]) == (1, 1)
    assert [money["currency"] for money in found[1]["amounts"]] == ["CHF", "EUR"]
    # At one moment it is always later today somewhere than elsewhere: due within 14 hours is due today in one of these.
    order("G", "order-gone", days=0.01)
    zones = [ZoneInfo(name) for name in ("Pacific/Kiritimati", "Etc/GMT+12", "UTC")]
    assert any({one["code"]: one for one in list_groups(conn, z).items}["order-gone"]["due_today"] == 1 for z in zones)


def test_the_card_says_where_it_stands_and_promises_only_what_is_watched(conn: Connection) -> None:
    fail(conn, "payment-unmapped", {"payment": "PAYPAL"}, "A", "B")

    def card(number: str) -> dict[str, object]:
        found = read_record(conn, record(conn, number)["id"], language="de")
        assert found is not None
        shown = error_card(conn, found, BERLIN, TITLES, "de")
        assert shown is not None
        return shown

    first = card("A")
    assert first["where"] == {
        "hops": [
            {"name": "OTTO Market", "state": "done"},
            {"name": "Connect", "state": "done"},
            {"name": "Xentral", "state": "failed"},
        ],
        "remark": "vor dem Anlegen, nichts gesendet",
    }
    (problem,) = first["problems"]  # type: ignore[misc, attr-defined]
    assert problem["action"]["link"] == "/interfaces/otto-de/mappings?kind=payment&source=PAYPAL"
    assert problem["turn"]["who"] == "Sie"
    assert problem["retry"]["goes_on"]
    assert first["same"]["count"] == 2  # type: ignore[index]
    assert first["last_time"] is None
    # Without a block nobody raises it: a promise would be a lie.
    conn.execute("DELETE FROM blocks WHERE record_id = %s", (record(conn, "B")["id"],))
    (problem,) = card("B")["problems"]  # type: ignore[misc, attr-defined]
    assert not problem["retry"]["goes_on"]
    assert "bitte wiederholen" in problem["retry"]["more"]
    # After a call whose outcome nobody knows, nothing may be said to have been sent or not.
    take_in(conn, event("C"))
    (held,) = claims(conn)
    settle(conn, [settlement(held, State.FAILED, problems=(Problem("worker-lost"),), called=True)])
    assert "sieht Connect nach" in str(card("C")["where"])
    done = read_record(conn, record(conn, "C")["id"])
    assert done is not None
    assert error_card(conn, {**done, "state": "done"}, BERLIN, TITLES, "de") is None


def test_the_database_knows_what_tells_causes_apart_as_the_catalogue_does(conn: Connection) -> None:
    for code, entry in catalogue().items():
        if entry.cleared_by in ("mapping", "setting", "article"):
            (variable,) = VARIABLE.findall(str(entry.key))
            values = {"code": code, "values": {variable: "Ä /1"}}
            row = conn.execute("SELECT cause_value(%s, %s::jsonb)", (code, json.dumps(values))).fetchone()
            assert row == ("Ä /1",), f"{code}: name {variable} in a new migration of cause_value"
    for body in (
        b"\xff",
        b"{}",
        b'{"data":{"order":{"total":"1e9"}}}',
        b"[1",
        b'{"data":{"order":{"total":"\\u0000"}}}',
    ):
        conn.execute("DELETE FROM payloads WHERE record_id = 1")
        conn.execute("INSERT INTO payloads(record_id, no, body) VALUES (1, 1, %s)", (body,))
        assert conn.execute("SELECT amount, currency FROM order_amount(1, 1)").fetchone() == (None, None)


def test_what_was_in_trouble_before_the_migration_is_in_its_group(conn: Connection) -> None:
    fail(conn, "payment-unmapped", {"payment": "PAYPAL"}, "A")
    before = conn.execute("SELECT record_id, cause, state, amount, currency FROM troubles").fetchall()
    fill = next(
        statement
        for statement in MIGRATION.read_text(encoding="utf-8").split(";\n")
        if statement.lstrip().startswith("-- Rows in trouble already")
    )
    conn.execute("DELETE FROM troubles")
    conn.execute(fill.encode())
    assert conn.execute("SELECT record_id, cause, state, amount, currency FROM troubles").fetchall() == before
    assert before[0][3] is not None
