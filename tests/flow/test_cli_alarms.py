"""`connect alarms`, `maintenance`, `calendar` and `status` on a real database: what they say, and a dry run leaves all."""

from __future__ import annotations

from typing import Any

import pytest

from shared.db.connect import Connection
from tests.flow.test_cli import Run, answer, conn, run

__all__ = ["conn", "run"]
pytestmark = pytest.mark.servers
KEPT = ("subscriptions", "recipients", "mails", "maintenance", "free_days", "age_limits", "audit")


def everything(conn: Connection) -> dict[str, list[Any]]:
    """What these commands could change."""
    return {name: conn.execute(f"SELECT t::text FROM {name} t ORDER BY 1".encode()).fetchall() for name in KEPT}  # noqa: S608


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(run: Run, conn: Connection) -> None:
    answer(run("alarms", "add", "Night", "--recipient", "a@example.org", "--json"))
    answer(run("maintenance", "plan", "--weekday", "6", "--hours", "02:00-04:00", "--json"))
    answer(run("calendar", "add", "2099-12-24", "--json"))
    before = everything(conn)
    said = {
        ("maintenance", "end", "1"): ("Window 1 would be ended.", {"ended": 1}),
        ("calendar", "add", "2099-12-24", "2099-12-31"): ("1 would be entered. 1 entered already.", {"added": 1}),
        ("calendar", "remove", "2099-12-24"): ("2099-12-24 would be removed.", {"removed": "2099-12-24"}),
        ("alarms", "limits", "stock", "30"): ("stock         30 minutes", {}),
        ("alarms", "test", "Night"): ("would be sent to a@example.org.", {"queued": 0, "to": ["a@example.org"]}),
        ("alarms", "remove", "Night"): ("“Night” would be deleted", {"removed": 1}),
    }
    for command, (sentence, document) in said.items():
        code, out, _ = run(*command, "--dry-run")
        assert (code, sentence in out) == (0, True), (command, out)
        told = answer(run(*command, "--dry-run", "--json"))
        assert told.items() >= document.items(), (command, told)
        assert everything(conn) == before, command
    for command in (("maintenance", "end", "9"), ("calendar", "remove", "2099-12-31"), ("alarms", "remove", "Day")):
        assert run(*command, "--dry-run")[0] == 1, "what would be refused is"
    assert "1 test mail waits" in run("alarms", "test", "Night")[1]
    for command in said:
        assert run(*command)[0] == 0, command
    after = everything(conn)
    assert (after["subscriptions"], after["maintenance"], len(after["free_days"])) == ([], [], 1)
