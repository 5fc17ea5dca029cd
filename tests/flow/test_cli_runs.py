"""What a person does to many orders, on the command line: runs with undo, ignore, fetch again, correct."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.db.connect import Connection
from tests.flow.test_cli import Run, answer, conn, run
from tests.support.stored import order_event, store_record

__all__ = ["conn", "run"]
pytestmark = pytest.mark.servers


def test_many_can_be_undone_followed_ignored_and_corrected(run: Run, conn: Connection, tmp_path: Path) -> None:
    for n in range(30):
        store_record(conn, f"A{n:02}", state="failed", code="payment-unmapped")
    told = run("orders", "retry", "-f", "state:failed", "--leave", "nothing")
    assert (told[0], "--leave is finished or hopeless" in told[2]) == (2, True)
    plan = answer(run("orders", "retry", "-f", "state:failed", "--dry-run", "--json"))
    assert (plan["counts"]["run"], plan["would_fail_again"]) == (30, {"payment-unmapped": 30})
    code, out, _ = run("orders", "retry", "-f", "state:failed", "--except", "A00", "--why", "the ERP is back")
    assert (code, "29 orders begin shortly" in out, "connect runs cancel" in out) == (0, True, True)
    (one,) = answer(run("runs", "list", "--json"))["items"]
    assert one["id"] in run("runs", "list")[1]
    assert answer(run("runs", "cancel", one["id"], "--json"))["code"] == "undone"
    assert run("runs", "cancel", one["id"])[0] == 1
    assert "cancelled (undone)" in run("runs", "show", one["id"])[1]
    assert run("runs", "show", "00000000-0000-0000-0000-000000000000")[0] == 1
    now = answer(run("orders", "retry", "-f", "state:failed", "--now", "--no-ramp", "--per-minute", "60", "--json"))
    assert (now["state"], now["per_minute"], now["ramp"]) == ("running", 60, None)
    assert run("orders", "ignore", "A00", "--why", " x ")[0] == 2
    assert "1 of 1 order are ignored" in run("orders", "ignore", "A00", "--why", "a test order")[1]
    assert answer(run("orders", "unignore", "A00", "--json"))["states_now"] == {"failed": 1}
    assert answer(run("orders", "fetch", "A00", "--json"))["numbers"][0]["result"] == "queued"
    data = answer(run("orders", "edit", "A00"))
    assert data == order_event("A00")["data"]
    data["order"]["currency"] = "nonsense"
    file = tmp_path / "data.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    assert run("orders", "edit", "A00", "--data", str(file))[0] == 1
    data["order"]["currency"] = "CHF"
    file.write_text(json.dumps(data), encoding="utf-8")
    assert not answer(run("orders", "edit", "A00", "--data", str(file), "--dry-run", "--json"))["stored"]
    assert "order.currency: EUR → CHF" in run("orders", "edit", "A00", "--data", str(file))[1]
    assert run("orders", "edit", "A00", "--data", str(tmp_path / "none"))[0] == 2
    assert conn.execute("SELECT state, payload_no FROM records WHERE key = 'A00'").fetchone() == ("pending", 2)
