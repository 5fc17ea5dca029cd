"""Gives memory that was freed back to the machine.

glibc keeps what a thread has freed in that thread's arena, for the same thread: after bursts over many threads a
process holds half as much again as it uses, for good (docs/reliability.md, "Soak"). Without glibc nothing is done.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress


def give_back() -> None:
    """Milliseconds; other threads wait for memory meanwhile."""
    with suppress(OSError, AttributeError):  # no shared C library, or not glibc's
        ctypes.CDLL(None).malloc_trim(0)
