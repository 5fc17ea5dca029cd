"""A supervisor such as systemd is told that a service runs, lives and stops."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.runtime.supervisor import READY, Supervisor

ROOT = Path(__file__).parents[2]
PROGRAM = """
from shared.metrics import Metrics
from shared.runtime.lifecycle import Lifecycle
life = Lifecycle("importer", Metrics("importer", "0"), 0)
def work(beat):
    while not life.stopping():
        beat()
        life.pause(0.1)
life.loop("work", work)
raise SystemExit(life.run())
"""


@pytest.fixture
def told(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(30)
        yield heard


def test_it_runs_lives_and_stops(told: socket.socket) -> None:
    environment = {**os.environ, "NOTIFY_SOCKET": told.getsockname()}
    runs = subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        assert told.recv(100) == b"READY=1"
        assert told.recv(100) == b"WATCHDOG=1"
        assert told.recv(100) == b"WATCHDOG=1"
        runs.send_signal(signal.SIGTERM)
        rest = {told.recv(100)}
        while b"STOPPING=1" not in rest:
            rest.add(told.recv(100))
        assert rest <= {b"STOPPING=1", b"WATCHDOG=1"}
        assert runs.wait(30) == 0
    finally:
        runs.kill()
        runs.wait(30)


def test_an_abstract_socket_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(f"\0connect-test-{os.getpid()}")
        heard.settimeout(30)
        Supervisor({"NOTIFY_SOCKET": f"@connect-test-{os.getpid()}"}).tell(READY)
        assert heard.recv(100) == b"READY=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/gone/away"}])
def test_without_a_supervisor_nothing_happens(environ: dict[str, str]) -> None:
    Supervisor(environ).tell(READY)
