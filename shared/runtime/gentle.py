"""Slows down what is not urgent to a share of a side's calls, so that everybody else finds the allowance open."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from shared.connectors.contract import CallContext, Tokens


class Stopped(Exception):
    """The process is stopping; what was begun is begun anew by the next one."""


class Gentle:
    """A `CallContext` around another one, with at least `seconds` between two calls. Thread-safe."""

    def __init__(
        self, calls: CallContext, seconds: float, stopping: Callable[[], bool], pause: Callable[[float], None]
    ) -> None:
        self._calls, self._seconds = calls, seconds
        self._stopping, self._pause = stopping, pause
        self._lock = threading.Lock()
        self._next = 0.0

    @property
    def tokens(self) -> Tokens:
        """As ever."""
        return self._calls.tokens

    @property
    def at_once(self) -> int:
        """One: each waits for its turn anyway."""
        return 1

    def before_call(self, operation: str) -> None:
        """Wait for the next turn, then for the allowance. Raises Stopped."""
        with self._lock:
            turn = max(time.monotonic(), self._next)
            self._next = turn + self._seconds
        while True:
            if self._stopping():
                raise Stopped
            left = turn - time.monotonic()
            if left <= 0:
                break
            self._pause(left)
        self._calls.before_call(operation)

    def before_send(self) -> None:
        """As ever."""
        self._calls.before_send()

    def after_call(self, operation: str, code: str, seconds: float) -> None:
        """As ever."""
        self._calls.after_call(operation, code, seconds)
