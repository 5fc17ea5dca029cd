"""What a busy moment made of a pool is given back: what its connections grew to, and those that nobody needs now."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack

import pytest

from shared.db.connect import open_pool
from tests.support.sandbox import PROJECT
from tests.support.waiting import until

pytestmark = pytest.mark.servers

PROGRAM = """
import json, sys, threading, time
import psutil
from shared.db.connect import open_pool
from shared.runtime.spare import give_back, large_apart

def own():
    give_back()
    return psutil.Process().memory_full_info().uss / 2**20

def read(size):
    with pool.connection(30) as conn:
        all_have_one.wait(30)
        conn.execute("SELECT convert_to(repeat('x', %s), 'UTF8')", (size,), binary=True).fetchone()
        all_have_read.wait(30)
        let_go.wait(30)

def round_of(size):
    threads = [threading.Thread(target=read, args=(size,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    all_have_read.wait(30)
    held = own()
    let_go.wait(30)
    for thread in threads:
        thread.join()
    return held

url, lifetime = sys.argv[1], json.loads(sys.argv[2])
large_apart()
with open_pool(url, "tests", 4, **lifetime) as pool:
    all_have_one = threading.Barrier(4)
    all_have_read, let_go = threading.Barrier(5), threading.Barrier(5)
    before = round_of(10)
    grown = round_of(8 * 2**20) - before
    deadline = time.monotonic() + float(sys.argv[3])
    while (left := own() - before) > grown / 4 and time.monotonic() < deadline:
        threading.Event().wait(0.05)
print(json.dumps([grown, left]))
"""


def grown(url: str, lifetime: dict[str, float], seconds: float) -> tuple[float, float]:
    """MiB more while four connections have just read 8 MiB each, and at last, some time after they came back."""
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM, url, json.dumps(lifetime), str(seconds)],
        cwd=PROJECT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    held, left = json.loads(said.stdout)
    return held, left


def test_a_large_row_does_not_stay_in_a_connections_buffers(database_url: str) -> None:
    held, left = grown(database_url, {"lifetime": 0.1}, 30)
    assert held > 25, "the rows are not seen"
    assert left < held / 4, f"{left} of {held} MiB are still there"


def test_a_pool_keeps_its_connections_for_a_while(database_url: str) -> None:
    held, left = grown(database_url, {}, 1)
    assert left > held / 2, "they were renewed at once"


def test_connections_of_a_busy_moment_are_closed_and_one_stays(database_url: str) -> None:
    with open_pool(database_url, "tests", 4, idle=0.2) as pool:
        with ExitStack() as busy:
            for _ in range(4):
                busy.enter_context(pool.connection(30))
            assert pool.get_stats()["pool_size"] == 4
        until(lambda: pool.get_stats()["pool_size"] == 1, "three of them are closed")
        with pool.connection(5) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)
