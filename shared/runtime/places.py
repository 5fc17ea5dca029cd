"""Places for calls that are under way at the same time, given in the order in which they were asked for.

A semaphore of the library lets the thread that gives a place back take it again before those who wait: look-ups would
starve beside a backlog of creates.
"""

from __future__ import annotations

import threading
from collections import deque


class Places:
    """So many at once. Thread-safe."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._lock = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()

    def take(self, timeout: float) -> bool:
        """Take one, waiting at most so many seconds for it; False when there was none in time."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        if turn.acquire(timeout=timeout):
            return True
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return False
        return True  # it was handed over at the last moment

    def give_back(self) -> None:
        """Give one back: whoever has waited longest has it."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1
