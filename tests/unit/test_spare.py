"""What many threads freed goes back to the machine."""

from __future__ import annotations

import subprocess
import sys

from tests.support.sandbox import PROJECT

PROGRAM = """
import os, threading
from pathlib import Path
from shared.runtime.spare import give_back

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

ready, let_go, over = threading.Barrier(9), threading.Barrier(9), threading.Event()

def burst():
    held = [bytes(2000) for _ in range(4000)]  # larger than what Python keeps in arenas of its own
    kept = held[::500]
    ready.wait()
    del held
    let_go.wait()
    over.wait()
    return kept

threads = [threading.Thread(target=burst, daemon=True) for _ in range(8)]
for thread in threads:
    thread.start()
ready.wait()
let_go.wait()
before = resident()
give_back()
print(before, resident())
over.set()
"""


def test_what_threads_freed_goes_back_while_they_live() -> None:
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=True
    )
    before, after = map(float, said.stdout.split())
    assert before - after > 20, f"{before} MiB before, {after} after"
