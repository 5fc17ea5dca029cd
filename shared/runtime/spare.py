"""Sees that memory that was freed goes back to the machine.

Python frees what refers to itself in a circle, as connections do that broke, only once a quarter as many objects have
come as there are: in a quiet service hours later, with all buffers that hang on them. And glibc keeps what a thread has
freed in that thread's arena, for the same thread: after bursts over many threads a process holds half as much again as
it uses, for good (docs/reliability.md, "Soak"). Without glibc the second half is left out.
"""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

LARGE = 128 * 1024
_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of <malloc.h>


def set_aside() -> None:
    """What is there now, modules above all, stays until the end: nobody looks through it again for left-overs."""
    gc.collect()
    gc.freeze()


def large_apart() -> None:
    """From now on a block of LARGE bytes and more is on its own and gone when it is freed.

    glibc begins like this, and moves the threshold up to 32 MB with the first such block that is freed: an event of
    900 kB or the answer of an ERP is enough.
    """
    with suppress(OSError, AttributeError):  # no shared C library, or not glibc's
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, LARGE)


def give_back() -> None:
    """Milliseconds; other threads wait meanwhile. A few times a minute, after `set_aside`."""
    gc.collect()
    with suppress(OSError, AttributeError):  # no shared C library, or not glibc's
        ctypes.CDLL(None).malloc_trim(0)
