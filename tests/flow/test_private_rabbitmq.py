"""The private RabbitMQ keeps its data and its address, and never outlives whoever started it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from services.cli.local import debian_packages, rabbitmq_binaries
from services.cli.local.rabbitmq import RabbitMQ
from services.cli.local.rabbitmq_binaries import RabbitMQIsMissing
from shared.broker.apply import apply, check
from tests.support.servers import programs

STARTER = """
import sys
from pathlib import Path
from services.cli.local.rabbitmq import RabbitMQ
RabbitMQ(Path(sys.argv[1]), programs=Path(sys.argv[2])).start()
print("started", flush=True)
sys.stdin.read()
"""


def processes_of(folder: Path) -> list[psutil.Process]:
    """Everything that was started for this folder: the node, its helpers, its port mapper."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOME") == str(folder / "home") and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.servers
def test_it_keeps_its_data_and_its_address_and_leaves_no_process(tmp_path: Path) -> None:
    server = RabbitMQ(tmp_path, programs=programs())
    server.start()
    url = server.url
    assert apply(url) == []
    server.stop()
    assert processes_of(tmp_path) == []
    again = RabbitMQ(tmp_path, programs=programs())
    again.start()
    try:
        assert again.url == url
        assert check(url) == []
    finally:
        again.kill()
    assert tmp_path.stat().st_mode & 0o077 == 0


@pytest.mark.servers
def test_it_goes_down_with_the_process_that_started_it(tmp_path: Path) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path), str(programs())],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        assert starter.stdout
        assert starter.stdout.readline() == "started\n"
        assert processes_of(tmp_path)
    finally:
        starter.kill()
        starter.wait(10)
    deadline = time.monotonic() + 15
    while left := processes_of(tmp_path):
        assert time.monotonic() < deadline, left
        psutil.wait_procs(left, timeout=0.5)


def test_where_it_cannot_be_had_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian_packages, "PATH", str(tmp_path))
    with pytest.raises(RabbitMQIsMissing, match="CONNECT_AMQP_URL"):
        rabbitmq_binaries.find(tmp_path / "cache")
