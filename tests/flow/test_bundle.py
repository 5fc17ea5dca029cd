"""The debug bundle holds what helps and nothing of a person, whatever lies in database, logs and metrics."""

from __future__ import annotations

import http.server
import json
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.cli import bundle as bundle_command
from services.cli.__main__ import main
from services.cli.bundle_parts import Part
from shared.alarms.subscriptions import add
from shared.alarms.wanted import Alarm
from shared.broker.apply import apply
from shared.db.connect import Connection, connect
from shared.people.audit import audit
from shared.people.tokens import create_token
from shared.people.users import add_user
from shared.records.exchanges import pack
from shared.records.settle import settle
from shared.records.states import State
from tests.support.canaries import CANARY, EMAIL, NAME, forms, in_dump, order_with_canaries
from tests.support.spine import claims, settlement, store_lane, take_in

pytestmark = pytest.mark.servers

PASSWORD = "pw-of-the-mail-server"
LOG = (
    {"timestamp": "2026-11-27T10:00:00Z", "level": "info", "event": "work.settled", "service": "importer", "count": 3,
     "counts": {"done": 3}, "record": 77, "user": CANARY, "reason": f"no customer {NAME}", "key": f"order:{CANARY}"},
    {"timestamp": "2026-11-27T10:00:01Z", "level": "error", "event": f"what {NAME} said", "error": EMAIL,
     "exception": [{"exc_value": NAME}]},
)  # fmt: skip


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        yield opened


@pytest.fixture
def metrics() -> Iterator[str]:
    """A service whose metrics are followed by what is none."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"# TYPE connect_up gauge\nconnect_up 1\nTraceback of {NAME}\n".encode())

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    server.server_close()


def fill(conn: Connection) -> None:
    """The canary in every place a person, a marketplace or an ERP may write to."""
    refused = order_with_canaries("2")
    refused["data"]["order"]["currency"] = CANARY
    refused["data"]["interface"] = CANARY
    take_in(conn, json.dumps(order_with_canaries("1")).encode(), json.dumps(refused).encode())
    call = {"operation": "create", "method": "POST", "target": f"/orders?{CANARY}", "status": 500, "seconds": 0.1,
            "wrong": NAME, "request": {"text": NAME, "left_out": 0}, "response": None}  # fmt: skip
    settle(conn, [settlement(one, State.DONE, calls=pack([call]), remote=CANARY) for one in claims(conn)])
    conn.execute("UPDATE interfaces SET title = %s", (NAME,))
    conn.execute("INSERT INTO causes(cause, note) VALUES ('x', %s)", (NAME,))
    conn.execute("UPDATE records SET marketplace_id = %s", (CANARY,))
    audit(conn, NAME, "orders.retry", {"filter": EMAIL}, NAME)
    add_user(conn, CANARY, "a-long-password-of-a-user", "admin")
    create_token(conn, NAME, "admin")
    conn.execute("UPDATE tokens SET expires_at = now() + interval '2 days', used_at = now()")
    add(conn, Alarm(name=NAME, recipients=(EMAIL,)), "tests", "Europe/Berlin", verified=True)


def test_a_bundle_helps_and_names_nobody(
    conn: Connection, database_url: str, metrics: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    queue = "pgmq" + database_url.removeprefix("postgresql")
    apply(queue)
    fill(conn)
    assert len(in_dump(database_url)) > 8, "it is there to be found"
    log, target = tmp_path / f"{CANARY[:4]}.log", tmp_path / "bundle.zip"
    log.write_text("".join(json.dumps(one) + "\n" for one in LOG) + f"DETAIL: {NAME}\n")
    for name, value in {
        "DATABASE_URL": database_url, "AMQP_URL": queue, "SECRET_KEY": "a-secret-key-of-the-tests",
        "SMTP_URL": f"smtp://{CANARY}:{PASSWORD}@mail.example.org:25?from={EMAIL}",
        "HEARTBEAT_URL": f"https://hc.example.org/{CANARY}",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"CONNECT_{name}", value)
    command = ["debug", "bundle", "--to", str(target), "--log", str(log), "--metrics", f"importer={metrics}"]
    assert main([*command, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "would hold" in said
    assert not target.exists()
    assert main([*command, "--json"]) == 0
    told = {one["file"]: one for one in json.loads(capsys.readouterr().out)["parts"]}
    assert all(file in said for file in told)
    assert {file: one["failed"] for file, one in told.items() if one["failed"]} == {}
    assert target.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(target) as file:
        held = {name: file.read(name).decode() for name in file.namelist()}
    assert set(held) == {*told, "README.json"}
    everything = "\n".join(held.values())
    for form in forms():
        assert form not in everything.lower(), [name for name, text in held.items() if form in text.lower()]
    password = database_url.partition("://")[2].partition("@")[0].partition(":")[2]
    for secret in (PASSWORD, password, "a-secret-key-of-the-tests", EMAIL, "Erika"):
        assert secret not in everything

    # And what helps is there.
    records = json.loads(held["records.json"])
    assert [(one["flow"], one["state"], one["count"]) for one in sorted(records, key=lambda one: one["flow"])] == [
        ("order-export", "never", 1), ("order-import", "done", 1)]  # fmt: skip
    assert json.loads(held["rejections.json"])[0]["count"] == 1
    assert json.loads(held["migrations.json"])["missing"] == []
    assert {"records", "events"} <= {one["table"] for one in json.loads(held["tables.json"])}
    assert {one["queue"] for one in json.loads(held["queues.json"])} >= {"order-imported", "stock-changed"}
    assert json.loads(held["settings.json"])["settings"]["CONNECT_SMTP_URL"] == "smtp://•@mail.example.org:25"
    assert {"database", "broker", "tokens"} <= {one["name"] for one in json.loads(held["doctor.json"])}
    assert held["metrics/importer.txt"] == "# TYPE connect_up gauge\nconnect_up 1\n"
    first, second, rest = (json.loads(line) for line in next(v for k, v in held.items() if "logs/" in k).splitlines())
    assert (first["event"], first["counts"], "user" in first) == ("work.settled", {"done": 3}, False)
    assert (second["event"], rest["left_out"]) == ("…", 1)


def test_a_bundle_is_written_while_nothing_answers_and_never_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONNECT_DATABASE_URL", "postgresql://guest:guest@127.0.0.1:1/x")
    target = tmp_path / "bundle.zip"
    over = threading.Event()
    wanted = [
        Part("hangs.json", "waits for ever", lambda: over.wait(60)),
        Part("big.txt", "is too long", lambda: "x" * (bundle_command.EACH_BYTES + 1)),
        Part("raises.json", "goes wrong", lambda: 1 / 0),
    ]
    monkeypatch.setattr(bundle_command, "EACH_SECONDS", 0.3)
    monkeypatch.setattr(bundle_command, "parts", lambda *_: wanted)
    began = time.monotonic()
    assert main(["debug", "bundle", "--to", str(target), "--json"]) == 0
    over.set()
    assert time.monotonic() - began < 30
    told = {one["file"]: one["failed"] for one in json.loads(capsys.readouterr().out)["parts"]}
    assert told == {"hangs.json": "could not be looked at: no answer in time", "big.txt": "was longer and is cut off",
                    "raises.json": "could not be looked at: ZeroDivisionError"}  # fmt: skip
    assert main(["debug", "bundle", "--to", str(target)]) == 2
    assert "name a new file" in capsys.readouterr().err
    for wrong in (["--metrics", "importer"], ["--log", str(tmp_path / "none")]):
        assert main(["debug", "bundle", "--to", str(tmp_path / "b.zip"), *wrong]) == 2
