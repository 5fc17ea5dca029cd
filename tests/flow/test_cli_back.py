"""`connect exports`, `connect articles` and what interfaces do on the way back, on a real database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.db.connect import Connection, connect
from shared.records.errands import finish_errand, take_errand
from tests.flow.test_cli import Run, answer, run  # noqa: F401 - a fixture
from tests.support.rows import changed_event, store_article, store_export, store_shipment
from tests.support.stored import store_interface, store_record
from tests.support.waiting import until

pytestmark = pytest.mark.servers
PROBLEM = [{"code": "carrier-unknown", "field": "shipments.0.carrier", "values": {"carrier": "GLS"}}]


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_interface(opened)
        store_interface(opened, "shop")
        yield opened


def _exports(conn: Connection) -> None:
    store_record(conn, "4711", state="done", remote="200417")
    record = store_export(
        conn, "4711", event=changed_event("4711"), state="failed", reason=PROBLEM, code="carrier-unknown",
        parts={"status": "done", "tracking": "failed"},
    )  # fmt: skip
    store_shipment(conn, record, "2", "T-2")
    store_export(conn, "4712")


def test_exports_are_listed_and_shown_with_both_parts_and_their_order(run: Run, conn: Connection) -> None:  # noqa: F811
    _exports(conn)
    found = answer(run("exports", "list", "--filter", "tracking:failed", "--json"))["items"]
    assert [(item["number"], item["parts"]["tracking"]["state"]) for item in found] == [("4711", "failed")]
    lines = run("exports", "list", "--sort", "number")[1].splitlines()
    assert lines[0].split()[:5] == ["order", "interface", "state", "status", "tracking"]
    assert "Not yet synced" in lines[2]
    for named in ("4711", "200417", "T-2", "m-4711"):
        code, out, _ = run("exports", "show", named)
        assert code == 0, named
    for expected in (
        "GLS",
        "status: Done",
        "tracking: Failed",
        "shipment 1: DHL T-4711",
        "not told yet",
        "Order: Done",
    ):
        assert expected in out
    assert "connect orders show 4711" in out
    german = run("--lang", "de", "exports", "show", "4712")[1]
    assert "Noch nicht übertragen" in german
    code, _, err = run("exports", "show", "4799", "-i", "shop")
    assert (code, "connect exports export --interface shop 4799" in err) == (1, True)


def test_articles_are_listed_and_shown_with_three_quantities(run: Run, conn: Connection) -> None:  # noqa: F811
    store_article(
        conn, "SH/42", kind="variant", parent_sku="SH", name="Hemd", foreign_sku="M-1", quantity=7, sent=7, shown=3
    )
    store_article(conn, "SH", kind="parent", name="Hemden")
    rows = run("articles", "list", "--sort", "number", "-f", "type:variant")[1].splitlines()
    assert rows[1].split()[:9] == ["SH/42", "otto-de", "Done", "Hemd", "variant", "7", "7", "3", "2026-11-23"]
    for named in ("SH/42", "M-1"):
        code, out, _ = run("articles", "show", named)
        assert code == 0
    for expected in ("in the ERP: 7", "accepted: 7", "shown: 3", "variant", "M-1"):
        assert expected in out
    assert answer(run("articles", "show", "SH", "--json"))["erp_quantity"] is None


def test_a_retry_spares_what_is_excepted_and_what_has_nothing_to_send(run: Run, conn: Connection) -> None:  # noqa: F811
    _exports(conn)
    plan = answer(run("exports", "retry", "-f", "-state:done", "--dry-run", "--json"))["counts"]
    assert (plan["matched"], plan["nothing_to_send"]) == (2, 1)
    done = answer(run("exports", "retry", "-f", "-state:done", "--except", "4711", "--json"))
    assert (done["counts"]["done"], list(done["skipped"].values())) == (0, ["has nothing to send yet"])
    assert "1 of 1 export run again" in run("exports", "retry", "4711")[1]
    assert run("exports", "retry", "4711", "--except", "4712")[0] == 2


def test_asking_needs_numbers_with_an_interface_or_a_filter(run: Run, conn: Connection) -> None:  # noqa: F811
    _exports(conn)
    receipt = answer(run("exports", "export", "--interface", "otto-de", "4711,4713", "--json"))
    assert [(one["number"], one["result"]) for one in receipt["numbers"]] == [("4711", "queued"), ("4713", "queued")]
    receipt = answer(run("exports", "export", "-f", "interface:otto-de", "--except", "4711", "--json"))
    assert [one["number"] for one in receipt["numbers"]] == ["4712"]
    assert answer(run("articles", "sync", "-i", "otto-de", "x" * 201, "--json"), code=1)["complete"]
    for arguments in (["4711"], [], ["-i", "nowhere", "4711"], ["-i", "otto-de", "4711", "-f", "state:done"]):
        code, _, err = run("exports", "export", *arguments)
        assert (code, bool(err)) == (2, True), arguments


def test_waiting_ends_when_the_record_has_been_sent(run: Run, conn: Connection, database_url: str) -> None:  # noqa: F811
    record = store_article(conn, "A", quantity=5, state="pending")

    def send() -> None:
        with connect(database_url, "tests") as own:
            until(
                lambda: own.execute(
                    "UPDATE receipt_numbers SET result = 'taken-in', record_id = %s, due_at = NULL RETURNING 1",
                    (record,),
                ).fetchone(),
                "the request is there",
            )
            own.execute("UPDATE records SET state = 'failed', code = 'sku-not-listed' WHERE id = %s", (record,))

    sending = threading.Thread(target=send)
    sending.start()
    try:
        receipt = answer(run("articles", "sync", "-i", "otto-de", "A", "--wait", "--json"), code=1)
    finally:
        sending.join()
    assert receipt["numbers"][0]["state"] == "failed"


def test_listing_and_check_are_errands_of_the_stock_service(run: Run, conn: Connection, database_url: str) -> None:  # noqa: F811
    store_article(conn, "A", quantity=5, sent=5, shown=2)
    asked = answer(run("articles", "check", "-i", "otto-de", "--json"))
    assert (asked["verb"], asked["finished_at"]) == ("drift", None)
    taken = take_errand(conn, 60)
    assert taken is not None
    finish_errand(conn, taken, {"articles": 1})

    def work(code: str | None) -> None:
        with connect(database_url, "tests") as own:
            found = []
            until(lambda: found.append(take_errand(own, 60)) or found[-1], "an errand is there")
            assert found[-1] is not None
            finish_errand(own, found[-1], {"articles": 1}, code)

    for code, expected in ((None, "connect articles sync -i otto-de -f drift:yes"), ("remote-unauthorised", "")):
        working = threading.Thread(target=work, args=(code,))
        working.start()
        done = run("articles", "check", "-i", "otto-de", "--wait")
        working.join()
        assert (done[0], expected in done[1]) == (1, True)
    assert done[2]
    assert "stock service" in run("articles", "listing", "-i", "otto-de")[1]
    assert run("articles", "listing", "-i", "nowhere")[0] == 2


def test_an_interface_says_what_it_does_on_the_way_back(run: Run, conn: Connection, tmp_path: Path) -> None:  # noqa: F811
    file = tmp_path / "numbers.txt"
    file.write_text("R-2\nR-3\n")
    added = answer(
        run("interfaces", "return-numbers", "otto-de", "R-1,R-2", "--carrier", "DHL", "--file", str(file), "--json")
    )
    assert (added["added"], added["items"]) == (3, [{"carrier": "DHL", "free": 3, "given": 0, "next": "R-1"}])
    assert (
        answer(run("interfaces", "return-numbers", "otto-de", "R-1", "--carrier", "DHL", "--json"))["known_before"] == 1
    )
    assert "DHL" in run("interfaces", "return-numbers", "otto-de")[1]
    assert run("interfaces", "return-numbers", "otto-de", "R-9")[0] == 2
    assert answer(run("interfaces", "cancels", "otto-de", "off", "--json"))["cancels"] is False
    assert conn.execute("SELECT cancels FROM interfaces WHERE slug = 'otto-de'").fetchone() == (False,)
    assert run("interfaces", "cancels", "otto-de", "maybe")[0] == 2
    shown = answer(run("interfaces", "listing", "otto-de", "--name", "Hemd", "--sku", "A,B", "--json"))
    assert shown["filter"] == {"name": "Hemd", "skus": ["A", "B"]}
    assert "name Hemd, skus A, B" in run("interfaces", "listing", "otto-de")[1]
    assert answer(run("interfaces", "listing", "otto-de", "--all", "--json"))["filter"] == {}
    assert run("interfaces", "listing", "otto-de", "--kind", "odd")[0] == 2
