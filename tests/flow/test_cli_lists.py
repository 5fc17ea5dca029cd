"""`connect orders list --csv`, `why`, and `connect views`, on a real database."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.db.connect import Connection, connect
from tests.flow.test_cli import Run, answer, run  # noqa: F401 - a fixture
from tests.support.stored import store_interface, store_record

pytestmark = pytest.mark.servers


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_interface(opened)
        yield opened


def test_a_sheet_a_reason_and_views(run: Run, conn: Connection, tmp_path: Path) -> None:  # noqa: F811
    for number, state in (("4711", "failed"), ("4712", "done"), ("4713", "failed")):
        store_record(conn, number, state=state)
    code, out, _ = run("orders", "list", "--filter", "state:failed", "--sort", "number", "--csv")
    rows = list(csv.DictReader(io.StringIO(out.removeprefix("\ufeff"))))
    assert code == 0
    assert [row["key"] for row in rows] == ["4711", "4713"]
    assert run("orders", "list", "--csv", "--json")[0] == 2

    book = tmp_path / "failed.xlsx"
    assert run("orders", "list", "--filter", "state:failed", "--xlsx", str(book))[:2] == (0, f"2 rows are in {book}.\n")
    with zipfile.ZipFile(book) as parts:
        words = parts.read("xl/worksheets/sheet1.xml").decode()
    assert ("4711" in words, "4712" in words) == (True, False)
    code, _, said = run("orders", "list", "--xlsx", str(book))
    assert (code, "is there already" in said) == (2, True)
    assert run("orders", "list", "--csv", "--xlsx", str(tmp_path / "new.xlsx"))[0] == 2

    code, out, _ = run("orders", "why", "4799")
    assert code == 0
    assert "Never received" in out
    assert "connect orders import --interface … 4799" in out
    assert answer(run("orders", "why", "4712", "--json"))["verdict"] == "here"

    due = ("views", "save", "Due today", "--filter", "state:failed", "--shared")
    assert answer(run(*due, "--dry-run", "--json"))["filter"] == "state:failed"
    assert answer(run("views", "list", "--json"))["items"] == []
    assert run(*due)[0] == 0
    (view,) = answer(run("views", "list", "--json"))["items"]
    assert (view["name"], view["filter"], view["shared"]) == ("Due today", "state:failed", True)
    assert "Due today" in run("views", "list")[1]
    assert run("views", "save", "x", "--filter", "sttate:failed")[0] == 2
    assert run("views", "save", "x", "--resource", "fish")[0] == 2
    assert answer(run("views", "delete", str(view["id"]), "--dry-run", "--json"))["deleted"] is False
    assert run("views", "delete", str(view["id"]))[0] == 0
    assert run("views", "delete", str(view["id"]))[0] == 1
