"""Wakes the work loop: by name when an interface has new work, without a name when a thread has reported."""

from __future__ import annotations

import threading


class Bell:
    """Rings are kept until somebody waits. Thread-safe."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._names: set[str] = set()
        self._rung = False

    def ring(self, *names: str) -> None:
        """Wake the waiter; names are the interfaces with work."""
        with self._condition:
            self._names.update(names)
            self._rung = True
            self._condition.notify()

    def wait(self, timeout: float) -> set[str]:
        """Wait for a ring, at most `timeout` seconds; returns and forgets the names."""
        with self._condition:
            if not self._rung and timeout > 0:
                self._condition.wait(timeout)
            names, self._names, self._rung = self._names, set(), False
            return names
