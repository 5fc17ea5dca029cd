"""The command line without any server: how it teaches, how it refuses, what it checks by itself."""

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import typer

from services.cli.__main__ import build, main
from services.cli.printing import Printer
from services.cli.publishing import message_of, publish
from shared.broker.delivery import Fate, Message
from shared.settings import SERVICES, SettingsError, load
from tests.support.stored import order_event

pytestmark = pytest.mark.usefixtures("nothing_set")


@pytest.fixture
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No CONNECT_… but an empty data folder."""
    for name in ("DATABASE_URL", "AMQP_URL", "SECRET_KEY"):
        monkeypatch.delenv(f"CONNECT_{name}", raising=False)
    monkeypatch.setenv("CONNECT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.chdir(tmp_path)


def commands() -> Iterator[tuple[str, ...]]:
    """The path of every command."""
    for name, command in sorted(typer.main.get_command(build()).commands.items()):  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        yield from ((name, sub) for sub in sorted(below)) if below else [(name,)]


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_explains_itself_and_answers_programs(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*path, "--help"]) == 0
    help_ = capsys.readouterr().out
    assert "Usage: connect" in help_
    assert path == ("serve",) or "--json" in help_


def test_the_commands_of_the_contract_are_there() -> None:
    wanted = """up serve migrate doctor accounting|topology apply|topology check|events publish|events validate
    |events show|interfaces list|interfaces add|interfaces show|interfaces test|interfaces live|interfaces pause
    |orders list|orders show|orders retry|orders done-by-hand|orders import|rejections list|rejections show
    |rejections resubmit|users add|exports list|exports show|exports retry|exports export|articles list|articles show
    |articles retry|articles sync|articles listing|articles check
    |tokens create|config show"""
    first, *rest = [part.strip() for part in wanted.split("|")]
    assert {tuple(part.split()) for part in rest} | {(name,) for name in first.split()} <= set(commands())


@pytest.mark.parametrize(
    "arguments",
    [["nope"], ["orders", "show"], ["orders", "list", "--sort"], ["--lang", "fr", "migrate"], ["serve", "nothing"], []],
    ids=" ".join,
)
def test_wrong_usage_is_one_sentence_on_stderr_and_exit_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert (captured.out, bool(captured.err.strip())) == ("", True)
    assert "Traceback" not in captured.err


def test_a_missing_database_is_said_with_the_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["orders", "list"]) == 2
    said = capsys.readouterr().err
    assert "CONNECT_DATABASE_URL" in said
    assert "connect up" in said


def test_wrong_settings_are_named_all_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONNECT_DATABASE_URL", "mysql://x")
    monkeypatch.setenv("CONNECT_TIME_ZONE", "Mars")
    assert main(["config", "show"]) == 2
    said = capsys.readouterr().err
    assert "CONNECT_DATABASE_URL" in said
    assert "CONNECT_TIME_ZONE" in said


def test_an_unreachable_database_is_a_failure_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONNECT_DATABASE_URL", "postgresql://u:geheim@127.0.0.1:9/x")
    assert main(["orders", "list"]) == 1
    said = capsys.readouterr().err
    assert "connect doctor" in said
    assert "geheim" not in said
    assert len(said.strip().splitlines()) == 1


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CONNECT_DATABASE_URL", "postgresql://u:geheim@db.example.org/x")
    monkeypatch.setenv("CONNECT_SECRET_KEY", "streng-geheimer-schluessel")
    monkeypatch.setenv("CONNECT_HEARTBEAT_URL", "https://ping.example.org/streng-geheim?x=geheim")
    monkeypatch.setenv("CONNECT_DATABSE_URL", "x")
    assert main(["config", "show", "--json"]) == 0
    shown = capsys.readouterr().out
    assert "geheim" not in shown
    assert "https://ping.example.org/" in shown
    assert "db.example.org" in shown
    assert json.loads(shown)["unknown"] == ["CONNECT_DATABSE_URL"]


def test_doctor_names_secrets_that_everybody_knows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONNECT_DATABASE_URL", "postgresql://connect:dev-only-postgres@127.0.0.1:9/x")
    monkeypatch.setenv("CONNECT_AMQP_URL", "amqp://connect:a-password-of-ours@127.0.0.1:9/connect")
    monkeypatch.setenv("CONNECT_SECRET_KEY", "dev-only-secret-key-of-32-letters")
    assert main(["doctor", "--json"]) == 1
    shown = capsys.readouterr().out
    found = [one["said"].split()[0] for one in json.loads(shown)["findings"] if "everybody knows" in one["said"]]
    assert found == ["CONNECT_DATABASE_URL", "CONNECT_SECRET_KEY"]
    assert "dev-only-" not in shown


@pytest.mark.parametrize(("url", "told"), [("http://connect.example.org", 1), ("http://localhost:8080", 0)])
def test_doctor_names_a_journal_that_a_network_reaches_without_encryption(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, told: int
) -> None:
    monkeypatch.setenv("CONNECT_DATABASE_URL", "postgresql://connect:a-password-of-ours@127.0.0.1:9/x")
    monkeypatch.setenv("CONNECT_AMQP_URL", "amqp://connect:a-password-of-ours@127.0.0.1:9/connect")
    monkeypatch.setenv("CONNECT_SECRET_KEY", "a-secret-key-of-32-letters-or-more")
    monkeypatch.setenv("CONNECT_BASE_URL", url)
    assert main(["doctor", "--json"]) == 1
    found = [one for one in json.loads(capsys.readouterr().out)["findings"] if "CONNECT_BASE_URL" in one["said"]]
    assert len(found) == told
    for one in found:
        assert (one["name"], one["level"]) == ("transport", "remark")
        assert "CONNECT_BASE_URL=https://" in one["fix"]


def test_validate_names_every_problem_of_every_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "events.jsonl"
    bad = order_event("2", currency="Euro", total=5)
    file.write_bytes(b"\n".join([json.dumps(order_event("1")).encode(), b"", json.dumps(bad).encode(), b"{\xff"]))
    assert main(["events", "validate", str(file), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["events"], found["invalid"]) == (3, 2)
    assert [line["line"] for line in found["lines"]] == [3, 4]
    assert {problem["field"] for problem in found["lines"][0]["problems"]} == {
        "data.order.currency",
        "data.order.total",
    }
    assert all(problem["sentence"] for line in found["lines"] for problem in line["problems"])
    file.write_text(json.dumps(order_event("1")))
    assert main(["events", "validate", str(file)]) == 0


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "validate", "nowhere.jsonl"]) == 1
    assert "nowhere.jsonl" in capsys.readouterr().err


def test_what_strangers_wrote_cannot_steer_the_terminal() -> None:
    stream = io.StringIO()
    Printer(stream).line("\x1b[2Jname", ("\x07[red]x", "failed"))
    assert stream.getvalue() == "\ufffd[2Jname\ufffd[red]x\n"


@pytest.mark.parametrize(
    ("line", "exchange", "key"),
    [
        (json.dumps(order_event("1")).encode(), "connect.events", "order-imported.v1.otto-de"),
        (b'{"type":"stock-changed.v1","data":{"sku":"A"}}', "connect.events", "stock-changed.v1"),
        (b"{not json", "", "order-imported"),
        (b"[1]", "", "order-imported"),
        (b'{"type":"order-imported.v1"}', "", "order-imported"),
        (b'{"type":"x y\\u0000","data":{}}', "", "order-imported"),
        (b"[" * 100_000, "", "order-imported"),
    ],
)
def test_every_line_finds_its_way_to_the_broker_also_a_bad_one(line: bytes, exchange: str, key: str) -> None:
    message = message_of(line)
    assert (message.exchange, message.routing_key, message.body) == (exchange, key, line)


class Reluctant:
    """A publisher that confirms a message at the n-th asking, and what is poisoned never."""

    def __init__(self, asks: int) -> None:
        self.asks = asks
        self.asked: dict[bytes, int] = {}

    def publish(self, messages: Sequence[Message], deadline: float = 10.0) -> list[Fate]:
        fates = []
        for message in messages:
            self.asked[message.body] = self.asked.get(message.body, 0) + 1
            well = self.asked[message.body] >= self.asks and message.body != b"poison"
            fates.append(Fate.CONFIRMED if well else Fate.REFUSED)
        return fates

    def wake(self, stage: str, interfaces: Sequence[str]) -> None: ...

    def close(self) -> None: ...


def test_what_was_not_confirmed_is_published_again_and_named_in_the_end() -> None:
    done: list[int] = []
    found = publish([b"a", b"poison", b"b"], Reluctant(2), patience=1.0, progress=done.append)
    assert (found.confirmed, found.refused, found.unknown, found.left) == (2, 1, 0, [b"poison"])
    assert sum(done) == 2


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        ("http://127.0.0.1:8080", False),
        ("http://localhost:8080", False),
        ("http://[::1]:8080", False),
        ("https://connect.example.org", True),
        ("http://192.168.1.20:8080", True),
        ("http://127.0.0.1.example.org", True),
    ],
)
def test_a_secret_that_everybody_knows_starts_nothing_that_a_network_reaches(address: str, refused: bool) -> None:
    given = load({"CONNECT_BASE_URL": address, "CONNECT_AMQP_URL": "amqp://connect:dev-only-rabbitmq@rabbitmq/connect"})
    if refused:
        with pytest.raises(SettingsError, match="CONNECT_AMQP_URL") as raised:
            given.only_at_home()
        assert "dev-only-rabbitmq" not in str(raised.value)
    else:
        given.only_at_home()
    load({"CONNECT_BASE_URL": address, "CONNECT_AMQP_URL": "amqp://connect:ours@rabbitmq/connect"}).only_at_home()


def test_every_service_looks_at_its_secrets_before_it_starts() -> None:
    for service in SERVICES:
        text = (Path(__file__).parents[2] / "services" / service / "__main__.py").read_text(encoding="utf-8")
        assert "return serve(SERVICE, run)" in text, service
    entry = (Path(__file__).parents[2] / "shared" / "runtime" / "serve.py").read_text(encoding="utf-8")
    assert entry.index(".only_at_home()") < entry.index("return run(")
