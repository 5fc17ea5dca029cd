"""A child process: it is gone when its parent is, whoever started it, and its log stays small and private."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from services.cli.local.child import Child, bound_log
from tests.support.waiting import gone, until

ENVIRONMENT = {"PATH": os.defpath}
ROOT = Path(__file__).parents[2]


def child(folder: Path, code: str, **options: object) -> Child:
    return Child("child", [sys.executable, "-c", code], log=folder / "log", environment=ENVIRONMENT, **options)  # type: ignore[arg-type]


def test_it_runs_says_how_it_ended_and_may_start_again(tmp_path: Path) -> None:
    ends: list[int] = []
    process = child(tmp_path, "import sys; print('hello'); sys.exit(3)", on_exit=lambda _, code: ends.append(code))
    for _ in range(2):
        process.start()
        assert process.wait(30)
        assert process.exit_code == 3
        assert process.pid is None
    assert process.last_lines() == "hello\nhello"
    until(lambda: ends == [3, 3], "both ends are told")


def test_its_output_is_for_its_owner_only(tmp_path: Path) -> None:
    process = child(tmp_path, "print('apart')", output=tmp_path / "out")
    process.start()
    assert process.wait(30)
    assert (tmp_path / "out").read_text() == "apart\n"
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("out", "log")} == {0o600}


def test_it_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    process = child(tmp_path, "import time; time.sleep(60)")
    starter = threading.Thread(target=process.start)
    starter.start()
    starter.join()
    try:
        assert not process.wait(0.5)
    finally:
        process.stop(1)


def test_stop_kills_what_does_not_listen(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    process = child(tmp_path, code)
    process.start()
    until(lambda: process.last_lines() == "deaf", "it ignores SIGTERM")
    assert process.stop(0.1) == -signal.SIGKILL


def test_a_command_that_is_missing_is_named_in_the_log(tmp_path: Path) -> None:
    process = Child("child", ["/no/such/program"], log=tmp_path / "log", environment=ENVIRONMENT)
    process.start()
    assert process.wait(30)
    assert process.exit_code != 0
    assert "cannot start /no/such/program" in process.last_lines()


def test_a_log_that_cannot_be_opened_is_an_error_at_start(tmp_path: Path) -> None:
    process = Child("child", ["true"], log=tmp_path / "none" / "log", environment=ENVIRONMENT)
    with pytest.raises(FileNotFoundError):
        process.start()


def test_it_dies_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent_code = f"""
import sys, time
from pathlib import Path
from services.cli.local.child import Child
c = Child("grandchild", [sys.executable, "-c", "import time; time.sleep(60)"], log=Path({str(tmp_path / "log")!r}),
          environment={{}})
print(c.start(), flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", parent_code], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT)}
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    until(lambda: gone(pid), "the child is gone")


def test_a_log_is_cut_and_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("ab") as writer:
        writer.write(b"x" * 100)
        writer.flush()
        bound_log(path, limit=50)
        writer.write(b"new")
        writer.flush()
    assert path.read_bytes() == b"new"
    assert (tmp_path / "log.1").read_bytes() == b"x" * 100
