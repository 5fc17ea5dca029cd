"""The supervisor: what ends is started again, a signal stops everything in order, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli.local import ports
from services.cli.local.supervise import DidNotStart, Supervisor
from services.cli.local.ward import Launch, Service
from tests.support.waiting import gone, until

ROOT = Path(__file__).parents[2]
# Two groups: `below` stands for a server, `deaf` and `above` for services; each writes its end into the folder.
PROGRAM = """
import json, sys
from pathlib import Path
from services.cli.local.supervise import StopAsked, Supervisor
from services.cli.local.ward import Launch, Service

folder = Path(sys.argv[1])
CODE = '''
import signal, sys, time
def end(*_):
    if sys.argv[2] != "deaf":
        open(sys.argv[1] + "/order", "a").write(sys.argv[2] + " ")
        sys.exit(0)
signal.signal(signal.SIGTERM, end)
open(sys.argv[1] + "/up-" + sys.argv[2], "w").close()
while True: time.sleep(60)
'''

def announce(_=""):
    (folder / "pids.new").write_text(json.dumps(supervisor.pids()))
    (folder / "pids.new").rename(folder / "pids")

def service(name):
    return Service(name, lambda: Launch([sys.executable, "-c", CODE, str(folder), name], {}),
                   log=folder / "log", on_exit=supervisor.exited(name))

supervisor = Supervisor(lambda text: print(text, flush=True), announce)
supervisor.take_signals()
supervisor.start({"below": service("below")})
supervisor.start({name: service(name) for name in sys.argv[2:]})
announce()
supervisor.watch()
supervisor.stop()
"""


class Run:
    """The program above, with its services."""

    def __init__(self, folder: Path, *services: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder), *services],
            env={"PYTHONPATH": str(ROOT), "PATH": os.defpath},
            stdout=(folder / "said").open("w"),
            stderr=subprocess.STDOUT,
        )
        for name in ("below", *services):
            until(lambda name=name: (folder / f"up-{name}").exists(), f"{name} runs")  # type: ignore[misc]
        until((folder / "pids").exists, "the pids are written")

    def pids(self) -> dict[str, int]:
        read: dict[str, int] = __import__("json").loads((self.folder / "pids").read_text())
        return read


@pytest.fixture
def runs() -> Iterator[list[Run]]:
    started: list[Run] = []
    yield started
    for run in started:
        run.process.kill()
        run.process.wait()


def test_what_is_killed_comes_back_with_another_pid(tmp_path: Path, runs: list[Run]) -> None:
    runs.append(run := Run(tmp_path, "above"))
    before = run.pids()
    os.kill(before["above"], signal.SIGKILL)
    until(lambda: run.pids().get("above") not in (None, before["above"]), "it is started again")
    assert run.pids()["below"] == before["below"]
    until(lambda: "above is back" in (tmp_path / "said").read_text(), "it is said")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_services_before_servers(tmp_path: Path, runs: list[Run], number: signal.Signals) -> None:
    runs.append(run := Run(tmp_path, "above"))
    run.process.send_signal(number)
    assert run.process.wait(30) == 0
    assert (tmp_path / "order").read_text() == "above below "
    assert all(gone(pid) for pid in run.pids().values())


def test_a_second_signal_ends_at_once(tmp_path: Path, runs: list[Run]) -> None:
    runs.append(run := Run(tmp_path, "deaf"))
    run.process.send_signal(signal.SIGINT)
    until(lambda: "Ctrl-C again" in (tmp_path / "said").read_text(), "it says that it waits")
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(10) == 130
    until(lambda: all(gone(pid) for pid in run.pids().values()), "all are gone")


def test_nothing_survives_the_supervisor(tmp_path: Path, runs: list[Run]) -> None:
    runs.append(run := Run(tmp_path, "deaf", "above"))
    run.process.kill()
    run.process.wait()
    until(lambda: all(gone(pid) for pid in run.pids().values()), "all are gone")


def test_a_port_that_somebody_took_meanwhile_is_changed(tmp_path: Path) -> None:
    """Between the look for a free port and the start of the server stands another process."""
    code = "import sys, http.server as h; h.HTTPServer(('127.0.0.1', int(sys.argv[1])), Fine).serve_forever()"
    fine = "class Fine(h.BaseHTTPRequestHandler):\n def do_GET(self): self.send_response(200); self.end_headers()\n"
    code = code.replace("as h; ", f"as h\n{fine}")
    supervisor = Supervisor(print, print)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wanted = iter([taken.getsockname()[1], free := ports.any_free()])

        def launch() -> Launch:
            port = next(wanted)
            return Launch([sys.executable, "-c", code, str(port)], {}, ("127.0.0.1", port, "/"))

        service = Service("late", launch, log=tmp_path / "log", on_exit=supervisor.exited("late"))
        supervisor.start({"late": service})
        try:
            supervisor.await_ready([service])
            assert not ports.is_free(free)
        finally:
            service.kill()


def test_what_ends_for_another_reason_says_why_at_once(tmp_path: Path) -> None:
    started: list[int] = []

    def launch() -> Launch:
        started.append(1)
        return Launch([sys.executable, "-c", "raise SystemExit('no such database')"], {}, ("127.0.0.1", 1, "/"))

    service = Service("wrong", launch, log=tmp_path / "log")
    service.start()
    with pytest.raises(DidNotStart, match="no such database"):
        Supervisor(print, print).await_ready([service])
    assert len(started) == 1
