"""How many pools glibc keeps for the memory of threads.

It makes up to eight for each core, and hands back little of what a burst left in each; a service with a dozen threads
grew by a seventh within half an hour that way, while Python itself held no more than before.
"""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8  # malloc.h
ARENAS = 2


def few_arenas() -> bool:
    """Ask for two, before threads begin; False where the C library has none to ask for (musl, macOS)."""
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS))
    except (AttributeError, OSError):
        return False
