"""The pages of the reference say all that the code knows, and are what the code says today."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from services.cli.__main__ import build
from services.cli.reference import commands, events, settings
from services.journal import reference
from shared.events.envelope import CONTRACTS
from shared.settings import Settings

ROOT = Path(__file__).parents[2]


def test_the_page_of_the_api_is_not_stale() -> None:
    # The other pages are looked at by test_generated.py.
    wanted = reference.markdown(reference.document())
    assert (ROOT / reference.PAGE).read_text(encoding="utf-8") == wanted, "run: make generate"


def test_a_stale_page_of_the_api_is_noticed_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["reference", "--check"])
    assert reference.main() == 1
    assert "stale: docs/reference/api.md" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["reference"])
    assert reference.main() == 0
    monkeypatch.setattr("sys.argv", ["reference", "--check"])
    assert reference.main() == 0


def test_every_call_of_the_api_has_a_row_with_who_may_make_it() -> None:
    whole = reference.document()
    page = reference.markdown(whole)
    calls = [(path, method) for path, found in whole["paths"].items() for method in found]
    assert len(calls) > 80
    for path, method in calls:
        (row,) = re.findall(rf"^\| `{method.upper()} {re.escape(path)}` \| (\w+) \|", page, re.MULTILINE)
        assert row in ("anybody", "viewer", "operator", "admin", "publisher")


def test_every_command_and_option_is_on_its_page() -> None:
    page = commands.markdown(build())

    def walk(group: Any, path: str) -> Iterator[tuple[str, Any]]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from walk(command, f"{path} {name}")
            elif not command.hidden:
                yield f"{path} {name}", command

    whole = list(walk(typer.main.get_command(build()), "connect"))
    assert len(whole) > 80
    for path, command in whole:
        (part,) = re.findall(rf"^#+ {re.escape(path)}\n(.*?)(?=^#+ |\Z)", page, re.MULTILINE | re.DOTALL)
        for option in command.params:
            if option.param_type_name == "option" and option.name != "help":
                assert f"`{option.opts[0]}`" in part, path


def test_every_setting_has_a_row_with_its_form() -> None:
    page = settings.markdown()
    for name in Settings.model_fields:
        assert len(re.findall(rf"^\| `CONNECT_{name.upper()}` \| [^|]+ \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE)) == 1
    assert "| `CONNECT_REQUESTS_PER_MINUTE` | whole number, from 0 to 1,000,000 | `6000` |" in page
    assert "| `CONNECT_SECRET_KEY` | secret | – |" in page
    assert str(Path.home()) not in page


def test_every_field_of_an_event_has_a_row() -> None:
    page = events.markdown()
    for event_type in CONTRACTS:
        assert f"\n## {event_type}\n" in page
    for row in (
        '| `data.order.lines[].unit_price` | yes | decimal in quotes, e.g. `"19.99"` | – |',
        "| `data.order.ship_by` | no | time, RFC 3339 with its offset | – |",
        "| `data.shipments[].lines[].quantity` | yes | whole number above 0 to 1000000 | – |",
        '| `data.kind` | no | `simple`, `parent`, `variant` | `"simple"` |',
        "| `data.quantity` | yes | whole number from -1000000000 to 1000000000 | – |",
    ):
        assert row in page
