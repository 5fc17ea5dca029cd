"""A whole installation as a user has it: `connect up`, its processes killed at will, the rest through the CLI."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tests.support.sandbox import PROJECT
from tests.support.waiting import gone, until


@dataclass
class Installation:
    """One data folder and the `connect up` that runs on it."""

    folder: Path
    broker: str
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of ours but the data folder and what the test sets."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith("CONNECT_")}
        own = {"CONNECT_DATA_DIR": str(self.folder / "data"), "PYTHONPATH": str(PROJECT), "CONNECT_PROBE_MINUTES": "0"}
        return plain | own | self.settings

    def start(self, *options: str, seconds: float = 120.0) -> dict[str, Any]:
        """`connect up`; returns its up.json as soon as it is there. One that was killed has left its own behind."""
        left = self.up()
        with (self.folder / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                self._command("up", "--port", "0", "--broker", self.broker, *options),
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        return until(lambda: self._up(left), f"connect up is ready: {self.log()[-500:]}", seconds)

    def log(self) -> str:
        """What `connect up` said."""
        path = self.folder / "up.log"
        return path.read_text() if path.exists() else ""

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "services.cli", *arguments]

    def _up(self, left: dict[str, Any] | None) -> dict[str, Any] | None:
        assert self.process is not None
        assert self.process.poll() is None, f"connect up ended: {self.log()[-2000:]}"
        found = self.up()
        return None if found == left else found

    def up(self) -> dict[str, Any] | None:
        """up.json, None while it is not there."""
        try:
            return dict(json.loads((self.folder / "data" / "up.json").read_text()))
        except FileNotFoundError:
            return None

    def connect(self, *arguments: str, seconds: float = 60.0) -> Any:
        """Run `connect … --json`; returns what it prints. Fails the test on exit codes other than 0 and 1."""
        done = subprocess.run(
            self._command(*arguments, "--json"), cwd=self.folder, env=self.environment, capture_output=True,
            timeout=seconds, check=False,
        )  # fmt: skip
        assert done.returncode in (0, 1), done.stderr.decode()
        return json.loads(done.stdout) if done.stdout.strip() else None

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command and leave it running."""
        return subprocess.Popen(
            self._command(*arguments), cwd=self.folder, env=self.environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip

    def control(self, key: str, what: str, body: Any = None) -> Any:
        """The control side of a stand-in."""
        up = until(self.up, "up.json is there")
        method = "GET" if body is None else "POST"
        url = f"{up['sandbox'][key]}/_sandbox/{what}"
        with httpx2.Client(timeout=30, trust_env=False) as client:
            return client.request(method, url, json=body).raise_for_status().json()

    def kill(self, name: str, seconds: float = 60.0) -> None:
        """SIGKILL one process and wait until `connect up` has put another in its place."""
        up = until(self.up, "up.json is there", seconds)
        pid = up["pids"][name]
        with suppress(ProcessLookupError):  # it may have died of the last kill, and be on its way back
            os.kill(pid, signal.SIGKILL)

        def replaced() -> bool:
            now = self.up()
            return now is not None and now["pids"].get(name) not in (None, pid)

        until(replaced, f"{name} is started again: {self.log()[-500:]}", seconds)

    def kill_all(self) -> None:
        """SIGKILL `connect up` itself: everything it had started must go with it."""
        assert self.process is not None
        pids = (self.up() or {"pids": {}})["pids"].values()
        self.process.kill()
        self.process.wait(10)
        until(lambda: all(gone(pid) for pid in pids), "nothing is left behind", 20)

    def stop(self) -> int:
        """As Ctrl-C would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(90)


@contextmanager
def installation(folder: Path, broker: str, **settings: str) -> Iterator[Installation]:
    """Whatever happens, nothing runs afterwards."""
    made = Installation(folder, broker, {f"CONNECT_{name.upper()}": value for name, value in settings.items()})
    try:
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.stop()


def write_events(path: Path, events: Sequence[dict[str, Any]]) -> Path:
    """One event a line, as `connect events publish` reads them."""
    path.write_text("".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events), encoding="utf-8")
    return path
