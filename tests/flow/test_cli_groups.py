"""`connect groups`: the same figures as page and API, and everything that can be said about a cause."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.cli.__main__ import main
from shared.db.connect import connect
from shared.people.users import add_user
from tests.support.stored import store_interface, store_record

pytestmark = pytest.mark.servers
PAYPAL = [{"code": "payment-unmapped", "field": "", "values": {"payment": "PAYPAL"}}]


def test_groups_are_listed_shown_noted_assigned_and_acknowledged(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("CONNECT_DATABASE_URL", database_url)
    monkeypatch.setenv("CONNECT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, code: int = 0) -> str:
        found = main(arguments)
        out, err = capsys.readouterr()
        assert found == code, (out, err)
        return out + err

    with connect(database_url, "tests") as conn:
        store_interface(conn)
        assert run("groups", "list") == "Nothing is open.\n"
        for number in ("4711", "4712"):
            store_record(conn, number, state="failed", code="payment-unmapped", reason=PAYPAL)
        add_user(conn, "Jana Vogt", "correct-horse-battery", "operator")
        (listed,) = json.loads(run("groups", "list", "--json"))["items"]
        group = listed["id"]
        text = run("groups", "list", "-i", "otto-de")
        for said in (group, "79.96 EUR", "“PAYPAL” is not mapped", "  2  "):
            assert said in text
        assert "79.96 EUR, 0 due today" in run("orders", "show", "4711")
        assert json.loads(run("orders", "show", "4711", "--json"))["card"]["same"]["id"] == group

        run("groups", "note", group, "asked the shop")
        run("groups", "assign", group, "jana vogt")
        acknowledged = json.loads(run("groups", "ack", group, "--json"))
        assert (acknowledged["status"], acknowledged["assignee"]) == ("acknowledged", "Jana Vogt")
        shown = run("groups", "show", group)
        for said in ("“asked the shop”", "Jana Vogt takes care.", "Then please retry", f"--filter group:{group}"):
            assert said.casefold() in shown.casefold()
        assert json.loads(run("orders", "list", "--filter", 'assignee:"Jana Vogt"', "--json"))["total"]["count"] == 2
        assert json.loads(run("groups", "ack", group, "--undo", "--json"))["status"] == "open"
        assert conn.execute("SELECT count(*) FROM audit WHERE verb LIKE 'groups.%'").fetchone() == (4,)

    assert "Did you mean Jana Vogt?" in run("groups", "assign", group, "Jana Vogd", code=2)
    assert "connect groups list" in run("groups", "show", "payment-unmapped-00000000", code=1)
    assert "at most 1000" in run("groups", "note", group, "x" * 1001, code=2)
    assert "open, acknowledged, resolved" in run("groups", "list", "--show", "all", code=2)
