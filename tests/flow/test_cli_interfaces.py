"""`connect interfaces` on a real database: export, import, mappings, and what is missing."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.db.connect import Connection, connect
from shared.records.interfaces import read
from shared.seal import Seal
from tests.flow.test_cli import Run, answer, run  # noqa: F401 - a fixture
from tests.support.stored import store_record

pytestmark = pytest.mark.servers
FILE = """
slug = "otto-de"
title = "OTTO"
cancels = false
[marketplace]
connector = "otto"
client_id = "id-1"
ship_from_city = "Köln \\"Süd\\""
base_url = "http://127.0.0.1:9"
[erp]
connector = "xentral"
base_url = "http://127.0.0.1:9"
calls_per_second = 1.5
warehouses = ["1", "2"]
[mappings.payment]
PAYPAL = "3"
"ä b" = "4"
[mappings.setting]
customer = "7"
[listing]
name = "Shirt"
"""
SECRETS = {"client_secret": "geheim-1", "token": "geheim-2"}


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        yield opened


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    """The file, and its secrets as arguments."""
    (tmp_path / "otto.toml").write_text(FILE, encoding="utf-8")
    for name, value in SECRETS.items():
        (tmp_path / name).write_text(value + "\n")
    return [str(tmp_path / "otto.toml"), *(f"{name}=@{tmp_path / name}" for name in SECRETS)]


def secrets_of(conn: Connection, slug: str = "otto-de") -> dict[str, str]:
    found = read(conn, Seal("a-secret-of-the-tests"), slug)
    assert found is not None
    return {name: value for side in found.sides.values() for name, value in side.secrets.items()}


def test_what_is_exported_comes_back_the_same(run: Run, conn: Connection, given: list[str], tmp_path: Path) -> None:  # noqa: F811
    made = answer(run("interfaces", "import", *given, "--json"))
    assert (made["new"], made["missing_secrets"]) == (True, [])
    assert "geheim" not in json.dumps(made)
    assert secrets_of(conn) == SECRETS
    first = answer(run("interfaces", "export", "otto-de", "--json"))["toml"]
    assert "geheim" not in first
    out = tmp_path / "out.toml"
    assert run("interfaces", "export", "otto-de", "--file", str(out))[0] == 0
    assert out.read_text(encoding="utf-8") == first
    same = answer(run("interfaces", "import", str(out), "--json"))
    assert (same["new"], same["changes"]) == (False, [])
    copied = answer(run("interfaces", "import", str(out), *given[1:], "--as", "otto-at", "--json"))
    assert copied["slug"] == "otto-at"
    again = answer(run("interfaces", "export", "otto-at", "--json"))["toml"]
    assert again.replace("otto-at", "otto-de") == first
    assert conn.execute("SELECT DISTINCT mode FROM interfaces").fetchall() == [("test",)]


def test_a_change_is_shown_first_and_then_made(run: Run, conn: Connection, given: list[str], tmp_path: Path) -> None:  # noqa: F811
    dry = answer(run("interfaces", "import", given[0], "--dry-run", "--json"))
    assert dry["missing_secrets"] == ["marketplace.client_secret", "erp.token"]
    assert conn.execute("SELECT count(*) FROM interfaces").fetchone() == (0,)
    assert run("interfaces", "import", *given)[0] == 0
    new = tmp_path / "new.toml"
    new.write_text('slug = "otto-de"\n[mappings.payment]\nPAYPAL = "5"\n[erp]\nconnector = "xentral"\n'
                   'base_url = "http://127.0.0.1:8"\n')  # fmt: skip
    (tmp_path / "token").write_text("geheim-3")
    (tmp_path / "env").write_text("# of the vault\nexport ERP_TOKEN='geheim-3'\n")
    arguments = ("interfaces", "import", str(new), "--secrets-file", str(tmp_path / "env"), "--json")
    dry = answer(run(*arguments, "--dry-run"))
    assert {one["what"]: (one["old"], one["new"]) for one in dry["changes"]} == {
        "erp.base_url": ("http://127.0.0.1:9", "http://127.0.0.1:8"),
        "erp.calls_per_second": (1.5, pytest.approx(5 / 3)),
        "erp.warehouses": (["1", "2"], None),
        "erp.token": ("••••••••", "••••••••"),
        "mappings.payment.PAYPAL": ("3", "5"),
        "mappings.payment.ä b": ("4", None),
    }
    assert secrets_of(conn) == SECRETS
    assert answer(run(*arguments))["changes"] == dry["changes"]
    assert secrets_of(conn) == {**SECRETS, "token": "geheim-3"}
    shown = answer(run("interfaces", "show", "otto-de", "--json"))
    assert shown["mappings"] == {"payment": {"PAYPAL": "5"}, "setting": {"customer": "7"}}
    assert (shown["listing"], shown["cancels"]) == ({"name": "Shirt"}, False)
    assert answer(run(*arguments))["changes"] == []


WRONG = [
    ('title = "OTTO"', 'titel = "OTTO"', "title"),
    ('client_id = "id-1"', 'client_idd = "id-1"', "client_id"),
    ("[mappings.payment]", "[mappings.paymnet]", "payment"),
    ('name = "Shirt"', 'nam = "Shirt"', "name"),
    ('connector = "xentral"', 'connector = "xentrale"', "xentral"),
    ("calls_per_second = 1.5", 'calls_per_second = "fast"', "calls_per_second"),
    ("cancels = false", 'cancels = "no"', "true or false"),
    ('base_url = "http://127.0.0.1:9"', 'base_url = "127.0.0.1"', "base_url"),
]


def test_a_wrong_name_is_refused_with_the_one_that_was_meant(run: Run, conn: Connection, given: list[str]) -> None:  # noqa: F811
    for line, instead, said in WRONG:
        text = FILE.replace(line, instead, 1)
        assert text != FILE
        Path(given[0]).write_text(text, encoding="utf-8")
        code, _, err = run("interfaces", "import", *given)
        assert (code, said in err, "Traceback" in err) == (2, True, False), (instead, err)
    assert conn.execute("SELECT count(*) FROM interfaces").fetchone() == (0,)


def test_secrets_come_from_files_and_never_from_the_command_itself(
    run: Run,  # noqa: F811
    given: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    for arguments, said in (
        ([given[0]], "marketplace.client_secret=@FILE erp.token=@FILE"),
        ([*given, "erp.token=geheim"], "list of processes"),
        ([*given, f"tokn=@{given[0]}"], "tokn"),
        ([*given, "token=@/nowhere"], "/nowhere"),
    ):
        code, _, err = run("interfaces", "import", *arguments)
        assert (code in (1, 2), said in err, "Traceback" in err) == (True, True, False), err
    code, _, err = run("interfaces", "add", "otto-de")
    assert (code, "--file" in err) == (2, True)


def test_another_system_needs_another_interface(run: Run, given: list[str]) -> None:  # noqa: F811
    assert run("interfaces", "import", *given)[0] == 0
    Path(given[0]).write_text(FILE.replace('"otto"', '"xentral"', 1), encoding="utf-8")
    assert run("interfaces", "import", given[0])[0] == 2


def test_what_is_missing_is_named_with_what_waits_for_it(run: Run, conn: Connection, given: list[str]) -> None:  # noqa: F811
    assert run("interfaces", "import", *given)[0] == 0
    for number, keys in (
        ("1", ["payment:BILL", "tax:7.0"]), ("2", ["payment:BILL", "tax:7", "sku:A-1"]),
        ("3", ["setting:project", "setting:return-numbers", "setting:ship-from"]),
    ):  # fmt: skip
        record = store_record(conn, number, state="failed")
        for key in keys:
            conn.execute("INSERT INTO blocks VALUES ('otto-de', %s, %s)", (key, record))
    shown = answer(run("interfaces", "show", "otto-de", "--json"))["missing"]
    assert {(one["kind"], one["source"]): one["records"] for one in shown if one["always"]} == {
        ("payment", "BILL"): 2,
        ("tax", "7"): 2,
        ("setting", "project"): 1,
        ("return-numbers", ""): 1,
        ("settings", "ship_from_zip"): 1,
        ("shipping", ""): 0,
        ("setting", "channel"): 0,
        ("setting", "shipping-article"): 0,
    }
    assert {one["command"] for one in shown if one["kind"] == "payment"} == {
        "connect interfaces map otto-de payment BILL …"
    }
    assert run("interfaces", "map", "otto-de", "payment", "BILL", "9")[0] == 0
    assert conn.execute("SELECT state FROM records WHERE key = '2'").fetchone() == ("pending",)
    for source, target in (("project", "1"), ("channel", "4"), ("shipping-article", "9")):
        assert run("interfaces", "map", "otto-de", "setting", source, target)[0] == 0
    said = run("interfaces", "show", "otto-de")[1]
    assert "BILL …" not in said, "it is mapped, whether or not the records have gone on yet"
    assert "setting channel" not in said
    assert "connect interfaces return-numbers otto-de" in said
    code, _, err = run("interfaces", "map", "otto-de", "paymnet", "BILL", "9")
    assert (code, "payment" in err) == (2, True)


def test_a_mapping_is_removed_and_named_where_it_is_not_there(run: Run, conn: Connection, given: list[str]) -> None:  # noqa: F811
    assert run("interfaces", "import", *given)[0] == 0
    before = conn.execute("SELECT revision FROM interfaces").fetchone()
    mapped = answer(run("interfaces", "mappings", "otto-de", "--json"))["items"]
    assert ("payment", "PAYPAL") in {(one["kind"], one["source"]) for one in mapped}
    assert answer(run("interfaces", "map", "otto-de", "payment", "PAYPAL", "4", "--dry-run", "--json"))["target"] == "4"
    assert answer(run("interfaces", "unmap", "otto-de", "payment", "PAYPAL", "--dry-run", "--json"))["before"] != "4"
    assert answer(run("interfaces", "unmap", "otto-de", "payment", "PAYPAL", "--json"))["target"] is None
    assert conn.execute("SELECT revision FROM interfaces").fetchone() != before
    code, _, err = run("interfaces", "unmap", "otto-de", "payment", "PAYPAL")
    assert (code, "ä b" in err) == (1, True)
    assert conn.execute("SELECT count(*) FROM audit WHERE verb = 'interfaces.unmap'").fetchone() == (1,)
