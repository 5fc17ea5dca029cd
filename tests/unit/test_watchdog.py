"""A loop that makes no progress ends its service; a process that stood still as a whole goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.sandbox import PROJECT
from tests.support.waiting import until

STALL = 3.0
SERVICE = """
from shared.log import set_up
from shared.metrics import Metrics
from shared.runtime.lifecycle import Lifecycle

set_up("importer", "json")
life = Lifecycle("importer", Metrics("importer", "0"), 0)

def slow(beat):
    while not life.stopping():
        beat()
        print("beat", flush=True)
        life.pause(PAUSE)

life.loop("slow", slow, 3.0)
raise SystemExit(life.run())
"""


@contextmanager
def service(pause: float) -> Iterator[subprocess.Popen[str]]:
    """One with a loop that makes progress every so many seconds."""
    program = SERVICE.replace("PAUSE", str(pause))
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def test_a_loop_that_makes_no_progress_ends_the_service_and_says_where_it_stands() -> None:
    with service(30) as stuck:
        said = stuck.communicate(timeout=30)
        assert stuck.returncode == 70
    assert "service.stalled" in "".join(said)
    assert "in slow" in said[1]


def test_a_process_that_stood_still_for_longer_goes_on() -> None:
    with service(STALL - 1) as frozen:
        assert frozen.stdout is not None
        assert frozen.stdout.readline() == "beat\n"
        frozen.send_signal(signal.SIGSTOP)
        since = time.monotonic()
        until(lambda: time.monotonic() > since + STALL + 2, "it stood still for longer than a loop may", STALL + 10)
        frozen.send_signal(signal.SIGCONT)
        assert frozen.stdout.readline() == "beat\n", frozen.communicate(timeout=10)[1]
        assert frozen.stdout.readline() == "beat\n"
        frozen.send_signal(signal.SIGTERM)
        assert frozen.wait(20) == 0
