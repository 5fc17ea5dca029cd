"""R1: few file descriptors, a log that nobody takes, no folder to write into: a process says so or goes on, and nothing
is lost; when there is room again nobody has to lend a hand but the supervisor, who starts again what has ended."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

import pytest

from tests.support.system import System, order_event
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.timeout(240)]


def few_files(process: subprocess.Popen[bytes], count: int) -> tuple[int, int]:
    """Let a running process open so few more; returns what it could before."""
    held = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
    before = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (held + count, before[1]))
    return before


def test_without_file_descriptors_nothing_is_lost_and_with_them_it_goes_on(system: System) -> None:
    process = system.start(lease_seconds="2")
    system.publish([order_event("R0")])
    assert system.until_settled(1, 90) == {"done": 1}
    before = few_files(process, 0)
    system.stand.fault("xentral", "reset", times=4)  # kept connections end, and no new one can be made
    system.publish([order_event(f"R{n}") for n in range(1, 9)])

    def struck() -> bool:
        waits = system.query("SELECT count(*) FROM records WHERE state IN ('waiting', 'failed')") != [(0,)]
        return waits or process.poll() is not None

    until(struck, "it is short of files", 90)
    if process.poll() is None:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, before)
    else:
        system.start("importer", lease_seconds="2")
    system.stand.clear("xentral")

    def through() -> bool:
        system.change("UPDATE records SET due_at = now() WHERE state = 'waiting'")
        states = system.states()
        return states["done"] == 9 and states.total() == 9

    until(through, f"all went on: {system.states()}", 90)
    assert set(system.ledger().values()) == {1}
    system.assert_books_balance()


@pytest.mark.parametrize("how", ["full", "closed"])
def test_a_log_that_nobody_takes_holds_up_nothing(system: System, how: str) -> None:
    """stderr and stdout are a full disk, or a pipe whose reader has gone."""
    if how == "full":
        sink = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, sink = os.pipe()
        os.close(reader)
    try:
        process = _start(system, sink)
        system.publish([order_event(f"L{n}") for n in range(5)])
        assert system.until_settled(5, 90) == {"done": 5}
        assert process.poll() is None
    finally:
        os.close(sink)
    assert system.end() == 0
    assert set(system.ledger().values()) == {1}


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


def _start(system: System, sink: int) -> subprocess.Popen[bytes]:
    """An importer whose output goes to `sink`."""
    starting = subprocess.Popen

    def into_sink(*arguments: object, **more: object) -> subprocess.Popen[bytes]:
        return starting(*arguments, **{**more, "stdout": sink, "stderr": sink})  # type: ignore[call-overload,no-any-return]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", into_sink)
        return system.start()
