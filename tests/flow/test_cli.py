"""The command line on a real database and broker: what a person or a program gets to see."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.cli.__main__ import main
from shared.broker.open import open_consumer
from shared.db.connect import Connection, connect
from shared.runtime.intake import Intake
from shared.runtime.prepare import Arrival
from tests.support.stored import order_event, store_interface, store_record
from tests.support.waiting import until

pytestmark = pytest.mark.servers
PROBLEMS = [
    {"code": "payment-unmapped", "field": "payment.method", "values": {"payment": "PAYPAL"}},
    {"code": "sku-unknown", "field": "lines.0.sku", "values": {"sku": "ABC-1"}},
]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs a command; returns exit code, stdout and stderr."""
    monkeypatch.setenv("CONNECT_DATABASE_URL", database_url)
    monkeypatch.setenv("CONNECT_SECRET_KEY", "a-secret-of-the-tests")
    monkeypatch.setenv("CONNECT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.chdir(tmp_path)

    def go(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return go


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_interface(opened)
        yield opened


def answer(result: tuple[int, str, str], code: int = 0) -> Any:
    assert result[0] == code, result
    return json.loads(result[1])


def take_in(conn: Connection, body: bytes) -> int | None:
    return (
        Intake(lambda _: None)
        .take_in(conn, [Arrival(body, "order-imported", "tests", "order-imported")])[0]
        .rejection_id
    )


def test_an_order_with_two_mistakes_names_both_and_how_to_fix_them(run: Run, conn: Connection) -> None:
    record = store_record(conn, "4711", state="failed", reason=PROBLEMS, code="payment-unmapped", blocked=True)
    conn.execute("INSERT INTO blocks(interface, key, record_id) VALUES ('otto-de', 'payment:PAYPAL', %s)", (record,))
    code, out, _ = run("orders", "show", "4711")
    assert code == 0
    for expected in ("PAYPAL", "ABC-1", "→", "connect interfaces map otto-de payment PAYPAL", "What is wrong (2)"):
        assert expected in out
    german = run("--lang", "de", "orders", "show", "m-4711")[1]
    assert "Zahlungsart „PAYPAL“" in german
    shown = answer(run("orders", "show", "4711", "--json"))
    assert [problem["code"] for problem in shown["reason"]["problems"]] == ["payment-unmapped", "sku-unknown"]
    assert shown["payload"]["data"]["order"]["number"] == "4711"
    assert shown["history"] == []


def test_what_is_not_there_or_not_clear_is_said_with_the_next_step(run: Run, conn: Connection) -> None:
    code, out, err = run("orders", "show", "4711")
    assert (code, out) == (1, "")
    assert "connect orders import" in err
    store_interface(conn, "shop")
    for slug in ("otto-de", "shop"):
        store_record(conn, "4711", interface=slug)
    code, _, err = run("orders", "show", "4711")
    assert code == 2
    assert "otto-de" in err
    assert "shop" in err
    assert answer(run("orders", "show", "4711", "-i", "shop", "--json"))["interface"] == "shop"


def test_a_list_prints_every_match_as_one_document(run: Run, conn: Connection) -> None:
    for n in range(60):
        store_record(conn, f"A{n:02}", state="failed" if n % 2 else "done")
    found = answer(run("orders", "list", "--filter", "state:failed", "--sort", "number", "--json"))
    assert [item["key"] for item in found["items"]] == [f"A{n:02}" for n in range(1, 60, 2)]
    assert found["total"] == {"count": 30, "capped": False}
    assert len(answer(run("orders", "list", "--limit", "2", "--json"))["items"]) == 2
    assert answer(run("orders", "list", "--filter", "nobody", "--json"))["items"] == []
    assert len(run("orders", "list", "-f", "A01|A02")[1].splitlines()) == 3
    code, out, err = run("orders", "list", "-f", "state:faild")
    assert (code, out) == (2, "")
    assert "state:failed" in err


def test_retry_runs_what_was_named_and_refuses_to_guess(run: Run, conn: Connection) -> None:
    store_record(conn, "1", state="failed")
    store_record(conn, "2", state="running")
    assert answer(run("orders", "retry", "--filter", "state:failed", "--dry-run", "--json"))["counts"]["matched"] == 1
    assert conn.execute("SELECT count(*) FROM records WHERE state = 'failed'").fetchone() == (1,)
    done = answer(run("orders", "retry", "1,2", "--json"))
    assert done["counts"] == {"matched": 2, "done": 1, "skipped": 1}
    assert conn.execute("SELECT state FROM records WHERE key = '1'").fetchone() == ("pending",)
    assert run("orders", "retry")[0] == 2
    assert run("orders", "retry", "--filter", " ")[0] == 2
    assert run("orders", "retry", "3")[0] == 1


def test_an_order_done_by_hand_is_marked_once(run: Run, conn: Connection) -> None:
    store_record(conn, "4711", state="failed", code="payment-unmapped")
    told = answer(run("orders", "done-by-hand", "4711", "200418", "--json"))
    assert (told["state"], told["erp_number"]) == ("done", "200418")
    assert answer(run("orders", "show", "4711", "--json"))["remote"] == "200418"
    code, _, trouble = run("orders", "done-by-hand", "4711", "200419")
    assert code == 1
    assert "is done" in trouble


def test_an_import_gives_a_receipt_per_number(run: Run, conn: Connection) -> None:
    store_record(conn, "4711")
    receipt = answer(run("orders", "import", "--interface", "otto-de", "4711, 4712,4712", "--json"))
    assert [(one["number"], one["result"]) for one in receipt["numbers"]] == [("4711", "exists"), ("4712", "queued")]
    code, _, err = run("orders", "import", "--interface", "oto-de", "1")
    assert code == 2
    assert "otto-de" in err


def test_a_rejection_is_shown_corrected_and_taken_in(run: Run, conn: Connection, tmp_path: Path) -> None:
    event = {**order_event("4711", currency="Euro"), "time": datetime.now(UTC).isoformat()}
    number = str(take_in(conn, json.dumps(event).encode()))
    assert take_in(conn, b"{\xff\x1b") is not None
    assert len(answer(run("rejections", "list", "--json"))["items"]) == 2
    shown = answer(run("rejections", "show", number, "--json"))
    assert shown["problems"][0]["field"] == "data.order.currency"
    assert run("rejections", "resubmit", number)[0] == 1
    assert len(answer(run("rejections", "list", "--code", "field-invalid", "--json"))["items"]) == 1
    tried = answer(run("rejections", "resubmit", number, "--dry-run", "--json"), code=1)
    assert (tried["ok"], tried["problems"][0]["field"]) == (False, "data.order.currency")
    assert answer(run("rejections", "set-aside", number, "--reason", "a test", "--json"))["state"] == "set-aside"
    assert "reopen" in run("rejections", "resubmit", number)[2]
    assert answer(run("rejections", "resubmit-all", "--code", "field-invalid", "--dry-run", "--json"))["matched"] == 0
    assert answer(run("rejections", "reopen", number, "--json"))["state"] == "open"
    assert run("rejections", "reopen", number)[0] == 1
    said = answer(run("audit", "--about", "a test", "--json"))["items"]
    assert [(one["verb"], one["reason"]) for one in said] == [("rejections.set-aside", "a test")]
    file = tmp_path / "edited.json"
    file.write_text(shown["raw"].replace("Euro", "EUR"))
    assert answer(run("rejections", "resubmit", number, "--file", str(file), "--json"))["outcome"] == "applied"
    code, _, err = run("rejections", "resubmit", number)
    assert code == 1
    assert "already" in err
    assert "currency" in run("rejections", "list", "--state", "all")[1]
    assert run("rejections", "show", "99999")[0] == 1
    fate = answer(run("events", "show", "--source", "/tests", "--id", "e-4711", "--json"))
    assert (fate["outcome"], fate["record"]["state"]) == ("applied", "pending")
    assert run("events", "show", "--source", "/tests", "--id", "never")[0] == 1


def test_the_books_say_when_they_do_not_balance(run: Run, conn: Connection) -> None:
    event = {**order_event("4711"), "time": datetime.now(UTC).isoformat()}
    assert take_in(conn, json.dumps(event).encode()) is None
    assert answer(run("accounting", "--json"))["balanced"] is True
    conn.execute("DELETE FROM records")
    found = answer(run("accounting", "--interface", "otto-de", "--json"), code=1)
    assert found["books"][0]["remainders"][0]["name"] == "applied"
    assert "Does not balance" in run("accounting")[1]
    assert run("accounting", "--days", "2")[0] == 1
    rows = answer(run("accounting", "--list", "applied", "--json"))["items"]
    assert len(rows) == found["books"][0]["applied"]
    assert run("accounting", "--list", "lost")[0] == 2


def test_people_and_programs_get_their_access(run: Run) -> None:
    made = answer(run("users", "add", "erika", "--role", "operator", "--json"))
    assert made["password"]
    code, _, err = run("users", "add", "Erika")
    assert code == 2
    assert "already" in err
    for role in ("viewer", "operator", "admin", "publisher"):
        assert answer(run("tokens", "create", f"t-{role}", "--role", role, "--json"))["token"].startswith("connect_")
    assert run("tokens", "create", "x", "--role", "boss")[0] == 2
    assert "connect_" not in run("tokens", "list", "--json")[1]


def test_an_interface_is_added_from_a_file_and_its_secrets_stay_hidden(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "otto.toml"
    file.write_text(
        'title = "OTTO"\n[marketplace]\nconnector = "otto"\nclient_id = "id-1"\nclient_secret = "geheim"\n'
        'base_url = "http://127.0.0.1:9"\n[erp]\nconnector = "xentral"\n'
        'base_url = "http://127.0.0.1:9"\ntoken = "geheim"\n'
        '[mappings.payment]\nPAYPAL = "3"\n'
    )
    assert answer(run("interfaces", "add", "otto-de", "--file", str(file), "--json"))["mode"] == "test"
    shown = run("interfaces", "show", "otto-de", "--json")[1]
    assert "geheim" not in shown
    assert json.loads(shown)["mappings"] == {"payment": {"PAYPAL": "3"}}
    anyway = ("--from", "2026-11-26", "--anyway", "nothing answers here")
    for verb, more, mode in (("live", anyway, "live"), ("pause", (), "paused")):
        assert answer(run("interfaces", verb, "otto-de", *more, "--json"))["mode"] == mode
    pinged = answer(run("interfaces", "test", "otto-de", "--json"), code=1)
    assert (pinged["mode"], pinged["sides"]["erp"]["ok"]) == ("test", False)
    assert run("interfaces", "add", "otto-de", "--file", str(file))[0] == 1
    secret = tmp_path / "token"
    secret.write_text("geheimer\n")
    assert run("interfaces", "set", "otto-de", "marketplace", "ship_from_city=Hamburg")[0] == 0
    assert run("interfaces", "set", "otto-de", "erp", f"token=@{secret}", "calls_per_second=1.6")[0] == 0
    shown = run("interfaces", "show", "otto-de", "--json")[1]
    assert "Hamburg" in shown
    assert "1.6" in shown
    assert "geheim" not in shown
    for wrong in ("nothing=1", "ship_from_city", "client_id="):
        code, _, err = run("interfaces", "set", "otto-de", "marketplace", wrong)
        assert (code, bool(err.strip()), "Traceback" in err) == (2, True, False), wrong
    file.write_text('[marketplace]\nconnector = "otto"\n[erp]\nconnector = "xentral"\n')
    code, _, err = run("interfaces", "add", "other", "--file", str(file))
    assert code == 2
    assert "client_id" in err


def test_an_empty_database_is_told_to_migrate_and_then_works(
    run: Run, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECT_DATABASE_URL", empty_database_url)
    code, _, err = run("orders", "list")
    assert code == 1
    assert "connect migrate" in err
    assert answer(run("migrate", "--json"))["applied"][0] == "0001_records"
    assert answer(run("migrate", "--json"))["applied"] == []
    assert run("orders", "list")[0] == 0


def test_events_reach_the_queue_confirmed_and_the_topology_can_be_checked(
    run: Run, broker_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CONNECT_AMQP_URL", broker_url)
    assert answer(run("topology", "apply", "--json"))["ok"] is True
    assert answer(run("topology", "check", "--json"))["ok"] is True
    file = tmp_path / "events.jsonl"
    lines = [json.dumps(order_event(str(n))).encode() for n in range(20)] + [b"{no json"]
    file.write_bytes(b"\n".join(lines) + b"\n\n")
    found = answer(run("events", "publish", str(file), "--json"))
    assert (found["confirmed"], found["refused"], found["unknown"]) == (21, 0, 0)
    consumer = open_consumer(broker_url, ["order-imported"], name="tests")
    bodies: list[bytes] = []

    def collect() -> bool:
        deliveries = consumer.collect(0.2)
        bodies.extend(delivery.body for delivery in deliveries)
        consumer.ack(deliveries)
        return len(bodies) >= len(lines)

    try:
        until(collect, "all events are in the queue")
    finally:
        consumer.close()
    assert sorted(bodies) == sorted(lines)


def test_a_broker_that_is_away_leaves_the_lines_in_a_file(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CONNECT_AMQP_URL", "amqp://guest:guest@127.0.0.1:9/")
    file = tmp_path / "events.jsonl"
    file.write_text(json.dumps(order_event("1")))
    code, _, err = run("events", "publish", str(file), "--patience", "1")
    assert code == 1
    assert "events.jsonl.unconfirmed" in err
    assert (tmp_path / "events.jsonl.unconfirmed").read_bytes() == file.read_bytes() + b"\n"


def test_a_running_connect_up_is_found_by_its_file(
    run: Run, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CONNECT_DATABASE_URL")
    (tmp_path / "data").mkdir()
    up = {"database_url": database_url, "amqp_url": "pgmq" + database_url.removeprefix("postgresql")}
    (tmp_path / "data" / "up.json").write_text(json.dumps(up))
    assert run("orders", "list")[0] == 0
    assert answer(run("config", "show", "--json"))["borrowed_from"] == str(tmp_path / "data")


def test_the_doctor_finds_what_is_wrong_and_says_how_to_fix_it(
    run: Run, conn: Connection, broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECT_AMQP_URL", broker_url)
    monkeypatch.setenv("CONNECT_METRICS_PORT", "9")
    store_record(conn, "4711", due_at=datetime(2026, 1, 1, tzinfo=UTC))
    found = answer(run("doctor", "--json"), code=1)
    wrong = {finding["name"]: finding for finding in found["findings"] if finding["level"] == "wrong"}
    assert {"importer", "journal", "work", "otto-de"} <= wrong.keys()
    assert "broker" not in wrong
    assert "connect serve importer" in wrong["importer"]["fix"]
