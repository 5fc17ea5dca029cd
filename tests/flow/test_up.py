"""`connect up --demo`, as somebody starts it: it serves, heals itself, goes on with its data, and leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.waiting import gone, until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]
ROOT = Path(__file__).parents[2]
# Without any CONNECT_… of whoever runs the tests; with what says where unpacked programs are kept.
KEPT = {name: os.environ[name] for name in ("PATH", "HOME", "XDG_CACHE_HOME") if name in os.environ}


class Up:
    """One run of the command."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        self.said = folder.with_name(folder.name + ".said")
        with self.said.open("w") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.cli", "up", "--demo", "--json", "--port", "0", *options],
                cwd=ROOT,
                env={**KEPT, "CONNECT_DATA_DIR": str(folder)},
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                start_new_session=True,
            )

    def printed(self) -> dict[str, Any]:
        """The line that says that it is ready."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.said.read_text()
        return dict(json.loads(line))

    def file(self) -> dict[str, Any]:
        """up.json; empty when there is none."""
        try:
            return dict(json.loads((self.folder / "up.json").read_text()))
        except FileNotFoundError:
            return {}

    def family(self) -> list[int]:
        """Every living process whose environment or command names the folder, but for the supervisor."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                named = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            except OSError:
                continue
            pid = int(process.name)
            if bytes(self.folder) in named and pid != self.process.pid and not gone(pid):
                found.append(pid)
        return found


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Up]:
    up = Up(folder, *options)
    try:
        yield up
    finally:
        up.process.send_signal(signal.SIGTERM)
        try:
            up.process.wait(60)
        finally:
            up.process.kill()
            up.process.wait()


def get(up: dict[str, Any], path: str) -> httpx2.Response:
    return httpx2.get(up["journal"] + path, headers={"Authorization": f"Bearer {up['token']}"}, timeout=10)


def orders(up: dict[str, Any], filter_: str = "") -> int:
    answer = get(up, f"/api/v1/orders?filter={filter_}&limit=1")
    assert answer.status_code == 200, answer.text
    return int(answer.json()["total"]["count"])


def shown(up: dict[str, Any]) -> dict[str, Any]:
    """What the marketplace's stand-in holds."""
    return dict(httpx2.get(up["sandbox"]["otto"] + "/_sandbox/state", timeout=10).json())


def assert_called(up: dict[str, Any]) -> None:
    """The ERP's stand-in calls the Journal, and is believed."""
    posted = until(
        lambda: httpx2.get(up["sandbox"]["xentral"] + "/_sandbox/webhooks", timeout=10).json()["posted"],
        "the ERP has called",
    )
    assert {(each["url"], each["status"]) for each in posted} == {(up["journal"] + "/api/v1/webhooks/otto-de", 204)}


def test_it_serves_heals_and_leaves_nothing(tmp_path: Path) -> None:
    with running(tmp_path / "a folder" / "data") as up:
        told = up.printed()
        assert told == up.file()
        assert {"journal", "token", "login", "amqp_url", "database_url", "sandbox", "pids"} <= told.keys()
        assert set(told["login"]) == {"user", "password"}
        assert {"otto", "xentral"} <= told["sandbox"].keys()
        assert {"importer", "journal"} <= told["pids"].keys()
        assert stat.S_IMODE((up.folder / "up.json").stat().st_mode) == 0o600
        until(lambda: orders(told, "state:done"), "an order has reached the ERP", 60)
        until(lambda: shown(told)["quantities"], "a quantity has reached the marketplace", 60)
        if "exporter" in told["pids"]:
            until(lambda: shown(told)["shipments"], "a parcel has reached the marketplace", 90)
        assert_called(told)

        os.kill(told["pids"]["importer"], signal.SIGKILL)
        again = until(
            lambda: up.file() if up.file()["pids"].get("importer") != told["pids"]["importer"] else None,
            "the importer is started again and up.json says so",
        )
        assert again["pids"]["journal"] == told["pids"]["journal"]

        os.kill(told["pids"]["postgres"], signal.SIGKILL)
        until(lambda: up.file()["pids"].get("postgres") not in (None, told["pids"]["postgres"]), "PostgreSQL is back")
        before = until(lambda: _count(told), "the Journal answers again")
        until(lambda: (_count(told) or 0) > before, "new orders go on coming in", 60)

        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(60) == 0, up.said.read_text()
        assert not (up.folder / "up.json").exists()
        assert not up.family()


def test_the_next_start_goes_on_even_after_a_kill(tmp_path: Path) -> None:
    with running(tmp_path / "data") as first:
        told = first.printed()
        count = until(lambda: orders(told, "state:done"), "an order has reached the ERP", 60)
        first.process.kill()
        until(lambda: not first.family(), "what it had started is gone")
    with running(tmp_path / "data") as second:
        again = second.printed()
        assert again["login"] == told["login"]
        assert again["token"] == told["token"]
        assert orders(again, "state:done") >= count


def test_it_does_the_same_on_a_private_rabbitmq(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--broker", "rabbitmq") as up:
        told = up.printed()
        assert told["amqp_url"].startswith("amqp://")
        assert "rabbitmq" in told["pids"]
        until(lambda: orders(told, "state:done"), "an order has reached the ERP", 60)
        up.process.kill()
        until(lambda: not up.family(), "what it had started is gone")


def test_a_stop_during_the_start_leaves_nothing(tmp_path: Path) -> None:
    up = Up(tmp_path / "data")
    until(lambda: (up.folder / "postgres").exists(), "the start is under way", 60)
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(60) == 130
    assert "Stopped before it was ready" in up.said.read_text()
    assert "Traceback" not in up.said.read_text()
    assert not up.family()


def test_a_second_one_on_the_same_data_is_sent_to_the_first(tmp_path: Path) -> None:
    with running(tmp_path / "data") as first:
        told = first.printed()
        second = Up(tmp_path / "data")
        assert second.process.wait(30) == 1
        assert f"open {told['journal']}" in second.said.read_text()
        assert first.file() == told


def test_a_taken_port_is_said_with_its_holder_and_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        port = squatter.getsockname()[1]
        up = Up(tmp_path / "data", "--port", str(port))
        assert up.process.wait(30) == 1
    said = up.said.read_text()
    assert f"Port {port} is taken by " in said
    assert f"(process {os.getpid()})" in said
    assert f"--port {port + 1}" in said


def _count(told: dict[str, Any]) -> int | None:
    try:
        return orders(told)
    except (httpx2.HTTPError, AssertionError):
        return None
