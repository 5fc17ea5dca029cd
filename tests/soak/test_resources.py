"""R1: without a folder to write into, file descriptors, or anybody who takes the log, services go on or end cleanly.

Whoever ends is started again, as a supervisor does; nothing is lost, and every order is made once.
"""

from __future__ import annotations

import io
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from services.cli.local.ports import any_free
from tests.support.system import System, order_event
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.timeout(240)]
ENDS = (1, 70)
"""A process may end itself by these, for a supervisor to start it again."""


def test_a_folder_that_cannot_be_written_into_holds_up_nothing(system: System) -> None:
    """Neither the folder for temporary files nor that of the data is there to write into."""
    nowhere = "/proc"  # root may write nearly everywhere, but not there
    system.environment = {"TMPDIR": nowhere, "CONNECT_DATA_DIR": nowhere, "HOME": nowhere}
    for name in ("importer", "exporter", "stock"):
        system.start(name, name)
    system.publish([order_event(f"T{n}") for n in range(5)])
    assert system.until_settled(5, 90) == {"done": 5}
    for name in ("importer", "exporter", "stock"):
        assert system.end(name) == 0, system.log_text(name)[-2000:]
        assert "Traceback" not in system.log_text(name)


def supervised(system: System, condition: Callable[[], bool], what: str) -> int:
    """Wait, and start again whoever ended by itself; returns how often that was."""
    started = 0

    def well() -> bool:
        nonlocal started
        for name, process in list(system.processes.items()):
            if (code := process.poll()) is not None:
                assert code in ENDS, system.log_text(name)[-3000:]
                system.start(name, name)
                started += 1
        return condition()

    until(well, what, 120)
    return started


def test_no_file_descriptor_left_loses_nothing_and_heals(system: System) -> None:
    """No socket can be opened: to the ERP, to a database whose connections were cut, to whoever asks for metrics."""
    started(system)
    system.publish([order_event("F0")])
    assert system.until_settled(1, 60) == {"done": 1}
    process = system.processes["importer"]
    open_now = max(int(each.name) for each in Path(f"/proc/{process.pid}/fd").iterdir())
    _, most = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (open_now + 1, most))
    cut(system)
    system.publish([order_event(f"F{n}") for n in range(1, 9)])

    def refused() -> bool:
        return process.poll() is not None or "gone" in system.log_text().lower()

    until(refused, "it says what it lacks, or ends", 90)
    if process.poll() is None:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (most, most))
    supervised(system, lambda: system.states()["done"] == 9, "all orders are made")
    assert set(system.ledger().values()) == {1}
    assert len(system.ledger()) == 9
    system.assert_books_balance()
    system.assert_history_has_no_gaps()
    assert system.end() == 0, system.log_text()[-3000:]


@contextmanager
def log_in_a_pipe(system: System, name: str) -> Iterator[io.FileIO]:
    """The log of a process that is not started yet goes into a pipe; yields the end to read from."""
    path = system.folder / f"{name}.log"
    os.mkfifo(path)
    with io.FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK)) as reading:
        yield reading


def started(system: System, name: str = "importer") -> int:
    """Start it, and wait until it can work, without its log; returns its process id."""
    port = any_free()
    process = system.start(name, name, metrics_port=str(port))

    def ready() -> bool:
        with suppress(httpx2.HTTPError):
            return httpx2.get(f"http://127.0.0.1:{port}/readyz", timeout=5, trust_env=False).status_code == 200
        return False

    until(ready, f"{name} is ready", 90)
    return process.pid


def cut(system: System) -> None:
    """End the database's sessions of the importer, so that it has much to say."""
    sessions = "FROM pg_stat_activity WHERE application_name LIKE 'connect-importer' || chr(37)"
    until(lambda: system.query(f"SELECT count(*) {sessions}")[0][0] > 4, "its loops are connected", 60)
    assert system.query(f"SELECT count(pg_terminate_backend(pid)) {sessions}")[0][0] > 4


def orders_are_made(system: System, count: int) -> None:
    """Five more, so that there are so many; each once."""
    cut(system)
    system.publish([order_event(f"L{number}") for number in range(count - 5, count)])
    assert system.until_settled(count, 90) == {"done": count}
    assert set(system.ledger().values()) == {1}


def fill(path: Path) -> None:
    """Until the pipe takes no more."""
    writing = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"." * 4096)
    os.close(writing)


def emptied(reading: io.FileIO) -> str:
    """What is in the pipe."""
    found = b""
    with suppress(BlockingIOError):
        while piece := reading.read(1 << 20):
            found += piece
    return found.decode()


def test_a_log_that_nobody_takes_holds_up_no_order(system: System) -> None:
    with log_in_a_pipe(system, "importer") as reading:
        started(system)
        fill(system.folder / "importer.log")
        orders_are_made(system, 5)
        assert "gone" not in emptied(reading).partition("....")[2], "nothing had room"
        orders_are_made(system, 10)
        until(lambda: "log.lines-lost" in emptied(reading), "it says that lines were lost", 60)
        fill(system.folder / "importer.log")
        assert system.end() == 0, "it ends though it cannot say so"


def test_a_log_whose_reader_is_gone_holds_up_no_order(system: System) -> None:
    with log_in_a_pipe(system, "importer") as reading:
        started(system)
        reading.close()
        orders_are_made(system, 5)
        assert system.end() == 0


def test_a_log_on_a_full_disk_holds_up_no_order(system: System) -> None:
    pid = started(system)
    log = system.folder / "importer.log"
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    room = log.stat().st_size + 20
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (room, most))
    orders_are_made(system, 5)
    assert log.stat().st_size == room, "the disk is full indeed"
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
    cut(system)
    until(lambda: "log.lines-lost" in system.log_text(), "it says that lines were lost", 60)
    assert system.end() == 0
