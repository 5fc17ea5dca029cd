"""`connect interfaces add` on a terminal: it asks, explains, hides secrets, and tests the connections at the end."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import pytest
from pydantic import BaseModel, SecretStr, model_validator

from services.cli.guide import guided
from services.cli.printing import Printer
from shared.connectors.registry import discover
from shared.db.connect import connect
from shared.networks import LOOPBACK
from shared.records.interfaces import read
from shared.seal import Seal
from tests.support.sandbox import PROJECT, Stand

PATIENCE = 60.0
"""Seconds until something is printed; a slow machine prints slowly, a command that hangs nothing."""
SECRET = "a-secret-of-the-tests"
HIDDEN = ("geheim-1", "geheim-2")


class Terminal:
    """A command on a terminal of its own; what it printed so far is `seen`."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(theirs)
        self.seen, self._read = "", 0

    def answer(self, prompt: str, text: str) -> None:
        """Wait until it asks for `prompt` after the last answer, then type. The blank comes once echo is off."""
        while prompt not in self.seen[self._read :] or not self.seen.endswith(": "):
            assert self._more(), f"it never asked for {prompt}: {self.seen}"
        self._read = len(self.seen)
        os.write(self._ours, f"{text}\n".encode())

    def end(self) -> int:
        """Wait for the end; the exit code."""
        while self._more():
            pass
        os.close(self._ours)
        return self.process.wait(10)

    def _more(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], PATIENCE)
        assert ready, f"nothing came for {PATIENCE:g} s after: {self.seen}"
        try:
            piece = os.read(self._ours, 65536)
        except OSError:  # Linux says so when the other end is closed
            return False
        self.seen += piece.decode("utf-8", "replace")
        return bool(piece)


@pytest.mark.servers
def test_an_interface_is_asked_for_and_tested(database_url: str, stand: Stand) -> None:
    environment = {
        "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "TERM": "dumb", "LC_ALL": "C.UTF-8",
        "COLUMNS": "200", "CONNECT_DATABASE_URL": database_url, "CONNECT_SECRET_KEY": SECRET,
        "CONNECT_ALLOWED_NETWORKS": LOOPBACK,
    }  # fmt: skip
    terminal = Terminal([sys.executable, "-m", "services.cli", "interfaces", "add", "otto-de"], environment)
    for prompt, text in (
        ("title", ""), ("which", "otto"), ("base_url", "nonsense"), ("base_url", stand.addresses["otto"]),
        ("client_id", ""), ("client_id", "id-1"), ("client_secret", HIDDEN[0]), ("more settings", "no"),
        ("calls a second", "fast"), ("calls a second", "5"), ("which", "shopify-or-so"), ("which", "xentral"),
        ("base_url", stand.addresses["xentral"]), ("token", HIDDEN[1]),
        ("webhook_key", ""), ("more settings", ""), ("calls a second", ""),
        ("payment", "PAYPAL"), ("PAYPAL is in the ERP", "3"), ("payment", ""), ("shipping", ""), ("tax", ""),
        ("customer", "7"), ("project", ""), ("channel", ""), ("shipping-article", ""), ("discount-article", ""),
    ):  # fmt: skip
        terminal.answer(prompt, text)
    assert terminal.end() == 0, terminal.seen
    for expected in ("must be an address", "it is needed", "goes through", "setting project", "in test", "stock"):
        assert expected in terminal.seen, terminal.seen
    assert not [secret for secret in HIDDEN if secret in terminal.seen]
    with connect(database_url, "tests") as conn:
        found = read(conn, Seal(SECRET), "otto-de")
    assert found is not None
    secrets = {name: value for side in found.sides.values() for name, value in side.secrets.items()}
    assert secrets == {"client_secret": HIDDEN[0], "token": HIDDEN[1]}
    assert (found.title, found.mode, found.sides["marketplace"].calls_per_second) == ("otto-de", "test", 5.0)
    assert found.sides["erp"].settings == {"base_url": stand.addresses["xentral"]}
    assert found.mappings == {"payment": {"PAYPAL": "3"}, "setting": {"customer": "7"}}


def test_only_secrets_are_asked_without_echo_and_every_setting_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    connectors = discover()
    asked: dict[str, bool] = {}

    def ask(label: str, secret: bool) -> str:
        name = label.split(" ")[0]
        asked[name] = secret
        fixed = {"go": "yes", "base_url": "https://x.example", "client_id": "id", "client_secret": "s", "token": "t"}
        return fixed.get(name, "")

    sides = iter(("otto", "xentral"))
    document = guided(
        "a",
        connectors,
        lambda label, secret: next(sides) if label.startswith("which") else ask(label, secret),
        Printer(),
    )
    names = {name for key in ("otto", "xentral") for name in connectors[key].settings.model_fields}
    assert names <= asked.keys()
    assert {name for name, secret in asked.items() if secret} == {"client_secret", "token", "webhook_key"}
    assert document["erp"] == {"connector": "xentral", "base_url": "https://x.example", "token": "t"}
    assert "seconds by which a webhook's timestamp may differ" in capsys.readouterr().out


def test_settings_that_do_not_fit_together_are_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    class Either(BaseModel):
        base_url: str
        client_id: str = ""
        client_secret: SecretStr | None = None

        @model_validator(mode="after")
        def _both(self) -> Self:
            if self.client_id and not self.client_secret:
                raise ValueError("client_id needs its client_secret")
            return self

    known = discover()
    shop = replace(known["otto"], settings=Either)
    replies = iter(["", "otto", "u", "", "yes", "id", "u", "id", "secret", "", "xentral", "https://x.example", "t"])
    document = guided("a", {**known, "otto": shop}, lambda _label, _secret: next(replies, ""), Printer())
    assert document["marketplace"] == {
        "connector": "otto",
        "base_url": "u",
        "client_id": "id",
        "client_secret": "secret",
    }
    assert "client_id needs its client_secret" in capsys.readouterr().out
