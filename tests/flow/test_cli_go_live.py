"""`connect interfaces live|pause|test|rehearsal` and `--dry-run`, on a real database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from shared.db.connect import Connection, connect
from shared.records.drafted import Document, Drafted, store_drafted
from shared.records.modes import standings
from shared.records.rehearsal import store_proof
from tests.flow.test_cli import Run, answer, run  # noqa: F401 - a fixture
from tests.support.stored import store_interface, store_record

pytestmark = pytest.mark.servers


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_interface(opened)
        opened.execute("UPDATE interfaces SET mode = 'test'")
        yield opened


def prove(conn: Connection) -> None:
    """All that a look proves; without sides there are no settings that could change."""
    for side in ("marketplace", "erp"):
        store_proof(conn, "otto-de", f"connection:{side}", True, {"system": side, "code": None, "mark": None})
    history = {"orders": 0, "since": "2026-10-27", "complete": True, "kinds": {}, "gaps": {}}
    store_proof(conn, "otto-de", "history", True, history)
    store_proof(conn, "otto-de", "stock-sample", True, {"none": True})


def test_live_is_refused_with_what_is_open_and_then_asks_for_the_date(run: Run, conn: Connection) -> None:  # noqa: F811
    code, out, err = run("interfaces", "live", "otto-de", "--from", "2026-11-26")
    assert code == 1
    for expected in (
        "The shop's recent orders are read: open",
        "→ Start the test: connect interfaces rehearsal otto-de",
    ):
        assert expected in out
    assert "4 items of the rehearsal are open" in err
    refused = answer(run("interfaces", "live", "otto-de", "--json"), 1)["refused"]
    assert {item["item"] for item in refused} >= {"history", "stock-sample"}
    prove(conn)
    code, out, _ = run("interfaces", "rehearsal", "otto-de", "--no-look")
    assert (code, "All is proved." in out, "not available yet" in out) == (0, True, True)
    code, _, err = run("interfaces", "live", "otto-de")
    assert (code, "--from" in err) == (2, True)
    assert run("interfaces", "live", "otto-de", "--from", "26. 11.")[0] == 2
    live = answer(run("interfaces", "live", "otto-de", "--from", "2026-11-26", "--json"))
    assert (live["mode"], live["missing"], live["alarm_offer"]["frequency"]) == ("live", [], "immediately")
    assert standings(conn)["otto-de"].from_date == datetime(2026, 11, 25, 23, tzinfo=UTC), "midnight in Berlin"


def test_live_anyway_keeps_reason_and_what_was_missing_in_the_audit(run: Run, conn: Connection) -> None:  # noqa: F811
    assert run("interfaces", "live", "otto-de", "--from", "2026-11-26", "--anyway", " ")[0] == 2
    code, out, _ = run("interfaces", "live", "otto-de", "--from", "2026-11-26", "--anyway", "checked by eye")
    assert (code, "connect alarms add" in out) == (0, True)
    ((target, reason),) = conn.execute("SELECT target, reason FROM audit WHERE verb = 'interfaces.mode'").fetchall()
    assert (reason, "history" in target["missing"]) == ("checked by eye", True)


def test_a_flow_is_paused_alone_and_lists_say_so(run: Run, conn: Connection) -> None:  # noqa: F811
    conn.execute("UPDATE interfaces SET mode = 'live'")
    store_record(conn, "4711")
    assert "paused" in run("interfaces", "pause", "otto-de", "--flow", "order-import")[1]
    assert "live (order-import paused)" in run("interfaces", "list")[1]
    assert "order-import is paused" in run("interfaces", "show", "otto-de")[1]
    assert answer(run("interfaces", "show", "otto-de", "--json"))["flows"]["order-import"] == "paused"
    assert "Waits: the interface otto-de is paused for this." in run("orders", "list")[1]
    assert "connect interfaces live" not in run("interfaces", "live", "otto-de", "--flow", "order-import")[1]
    assert "Waits" not in run("orders", "list")[1]
    run("interfaces", "pause", "otto-de", "--flow", "stock")
    run("interfaces", "pause", "otto-de")
    assert "stock stays paused" in run("interfaces", "live", "otto-de")[1]


def test_tests_are_marked_in_lists_and_on_their_own_page(run: Run, conn: Connection) -> None:  # noqa: F811
    store_record(conn, "4711", state="failed", test=True)
    store_record(conn, "4712", state="failed")
    lines = {line.split()[0]: line for line in run("orders", "list")[1].splitlines()}
    assert ("(Test)" in lines["4711"], "(Test)" in lines["4712"]) == (True, False)
    assert "(test)" in run("orders", "show", "4711")[1]
    assert [item["number"] for item in answer(run("orders", "list", "-f", "test:no", "--json"))["items"]] == ["4712"]


def test_a_dry_run_prints_the_document_and_what_stands_against_it(
    run: Run,  # noqa: F811
    conn: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drafted = Drafted([Document("order", "Xentral", {"externalOrderNumber": "4711"})])

    def answered(conn: Connection, *arguments: object, **more: object) -> object:
        for receipt, no in conn.execute(
            "SELECT receipt, no FROM receipt_numbers WHERE result = 'queued' AND number = '4711'"
        ).fetchall():
            store_drafted(conn, receipt, no, drafted)
        return audit(conn, *arguments, **more)  # type: ignore[arg-type]

    from services.cli import requests

    audit = requests.audit  # the importer answers before the command looks for the first time
    monkeypatch.setattr(requests, "audit", answered)
    code, out, _ = run("orders", "import", "-i", "otto-de", "4711", "--dry-run")
    assert code == 0
    for expected in ("would be created in Xentral:", '"externalOrderNumber": "4711"', "nothing was changed"):
        assert expected in out
    code, out, _ = run("orders", "import", "-i", "otto-de", "4712", "--dry-run", "--timeout", "0")
    assert "The importer asks the marketplace" in out
    assert conn.execute("SELECT count(*) FROM records").fetchone() == (0,)
