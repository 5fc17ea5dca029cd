"""`connect alarms`, `maintenance`, `calendar`, `status` on a real database: what they say and what a dry run does."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import Any

import pytest

from shared.alarms.round import play
from shared.broker.apply import apply
from shared.db.connect import Connection, connect
from shared.status.document import SERVICES
from tests.flow.test_cli import Run, answer, conn, run
from tests.support.stored import store_record

__all__ = ["conn", "run"]
pytestmark = pytest.mark.servers
KEPT = ("subscriptions", "recipients", "mails", "maintenance", "free_days", "age_limits", "audit")


def everything(conn: Connection) -> dict[str, list[Any]]:
    """What these commands could change."""
    return {name: conn.execute(f"SELECT t::text FROM {name} t ORDER BY 1".encode()).fetchall() for name in KEPT}


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(run: Run, conn: Connection) -> None:
    answer(run("alarms", "add", "Night", "--recipient", "a@example.org", "--json"))
    answer(run("maintenance", "plan", "--weekday", "6", "--hours", "02:00-04:00", "--json"))
    answer(run("calendar", "add", "2099-12-24", "--json"))
    before = everything(conn)
    said = {
        ("maintenance", "end", "1"): ("Window 1 would be ended.", {}),
        ("calendar", "add", "2099-12-24", "2099-12-31"): ("1 would be entered. 1 entered already.", {"added": 1}),
        ("calendar", "remove", "2099-12-24"): ("2099-12-24 would be removed.", {}),
        ("alarms", "limits", "stock", "30"): ("stock         30 minutes", {}),
        ("alarms", "test", "Night"): ("would be sent to a@example.org.", {"queued": 0, "to": ["a@example.org"]}),
        ("alarms", "remove", "Night"): ("“Night” would be deleted", {"removed": 1}),
    }
    for command, (sentence, document) in said.items():
        code, out, _ = run(*command, "--dry-run")
        assert (code, sentence in out) == (0, True), (command, out)
        if document:
            told = answer(run(*command, "--dry-run", "--json"))
            assert told.items() >= document.items(), (command, told)
        assert everything(conn) == before, command
    assert run("maintenance", "end", "9", "--dry-run")[0] == 1, "what would be refused is"
    assert "1 test mail waits" in run("alarms", "test", "Night")[1]
    for command in said:
        assert run(*command)[0] == 0, command
    after = everything(conn)
    assert (after["subscriptions"], after["maintenance"], len(after["free_days"])) == ([], [], 1)


def test_the_status_says_what_is_wrong_where_and_leaves_with_it(
    run: Run, conn: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn.execute("UPDATE interfaces SET mode = 'live'")
    with ExitStack() as running:
        for name in SERVICES:
            running.enter_context(connect(database_url, f"connect-{name}"))
        code, out, _ = run("status")
        assert (code, "No open incident." in out) == (0, True), out
        reason = [{"code": "payment-unmapped", "field": "", "values": {"payment": "PAYPAL"}}]
        store_record(conn, "4711", state="failed", code="payment-unmapped", reason=reason)
        store_record(conn, "4712")
        play(conn)
        pgmq = database_url.replace("postgresql://", "pgmq://", 1)
        apply(pgmq)
        monkeypatch.setenv("CONNECT_AMQP_URL", pgmq)
        code, out, _ = run("status")
        told = answer(run("status", "--json"), code=1)
    assert code == 1, "something needs a person"
    rest = out
    for expected in (
        r"otto-de +ERROR +live +– +1 +1 ",
        r"1 open incident:",
        r"  ERROR  since .* otto-de order-import: .*PAYPAL",
        r"importer +ok +\d+ \w+ ago",
        r"broker +\S+ +pgmq",
        r"database +ok +[\d.]+ MB, \d+ of \d+ connections, schema current",
    ):
        found = re.search(expected, rest)
        assert found, (expected, out)
        rest = rest[found.end() :]
    (one,), (incident,) = told["interfaces"], told["incidents"]
    assert (told["light"], one["slug"], one["light"]) == ("error", "otto-de", "error")
    orders = one["standing"][0]
    assert (orders["flow"], orders["backlog"], orders["failed"]) == ("order-import", 1, 1)
    assert (incident["code"], incident["severity"]) == ("payment-unmapped", "error")
    assert incident["rows"].startswith("/interfaces/otto-de/orders?filter=group")
    assert {row["name"] for row in told["services"]} == set(SERVICES)
    german = answer(run("--lang", "de", "status", "--json"), code=1)
    assert "Zahlungsart" in german["incidents"][0]["sentence"]
    # The same document as the Journal's, which other programs read.
    assert told.keys() == {"light", "at", "interfaces", "incidents", "services", "broker", "database", "backlog"}
