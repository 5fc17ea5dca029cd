"""What was freed goes back to the machine, be it of many threads or large."""

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


LARGE = """
import ctypes
from shared.runtime.spare import LARGE, large_apart

class Said(ctypes.Structure):  # mallinfo2 of <malloc.h>: the fourth field counts blocks that are on their own
    _fields_ = [(f"n{n}", ctypes.c_size_t) for n in range(10)]

said = ctypes.CDLL(None).mallinfo2
said.restype = Said
if APART:
    large_apart()
bytes(4 * 2**20)  # freed at once: with it the threshold moves, unless it is told to stay
before = said().n3
kept = [bytes(LARGE + 1) for _ in range(20)]
print(said().n3 - before)
"""


def test_large_blocks_stay_apart_whatever_was_freed_before() -> None:
    def apart(asked: bool) -> int:
        command = [sys.executable, "-c", LARGE.replace("APART", str(asked))]
        return int(subprocess.run(command, cwd=PROJECT, capture_output=True, timeout=60, check=True).stdout)

    assert (apart(True), apart(False)) == (20, 0)


def test_what_refers_to_itself_goes_back_at_once() -> None:
    said = subprocess.run(
        [sys.executable, "-c", CIRCLE], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=True
    )
    assert said.stdout.split() == ["10", "0"]


CIRCLE = """
import gc, weakref
from shared.runtime.spare import give_back, set_aside

class Broken:
    def __init__(self):
        self.itself = self

gc.disable()  # as good as in a quiet service
set_aside()
left = [weakref.ref(Broken()) for _ in range(10)]
print(sum(each() is not None for each in left))
give_back()
print(sum(each() is not None for each in left))
"""
