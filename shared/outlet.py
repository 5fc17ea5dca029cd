"""Where log lines leave a process. A log that nobody takes holds up no order: what cannot be written is counted.

A pipe that is full would block every thread with a line to say, also the one that watches over the others; a disk that
is full, or a reader that is gone, would end them by an error. Once lines are taken again, the first one says how many
were lost.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from typing import TextIO

PATIENCE_SECONDS = 1.0
"""For a reader that is only slow. Where it was too short once, no line waits until one was taken again."""

PIECE = select.PIPE_BUF
"""A pipe that takes anything takes so many bytes without blocking."""


class Outlet:
    """Stands for a stream, for structlog, which lets one thread in at a time. say: makes the line about lost ones."""

    def __init__(self, stream: TextIO, say: Callable[[int], str]) -> None:
        self._stream, self._say = stream, say
        self._lost = 0
        self._torn = False

    def write(self, line: str) -> int:
        """One whole line; never raises for what became of the stream."""
        try:
            fd = self._stream.fileno()
        except (OSError, ValueError):  # closed, or only looks like a stream
            return self._plain(line)
        if self._lost:
            line = self._say(self._lost) + line
        told = (b"\n" if self._torn else b"") + line.encode(errors="backslashreplace")
        left = _write(fd, told, 0.0 if self._lost else PATIENCE_SECONDS)
        if left:
            self._lost += 1
            self._torn = self._torn or left < len(told)
        else:
            self._lost, self._torn = 0, False
        return len(line)

    def flush(self) -> None:
        """Nothing is kept back."""

    def _plain(self, line: str) -> int:
        try:
            self._stream.write(line)
            self._stream.flush()
        except (OSError, ValueError):
            self._lost += 1
        return len(line)


def _write(fd: int, told: bytes, patience: float) -> int:
    """How many bytes were not taken within so many seconds."""
    ends, poll = time.monotonic() + patience, select.poll()
    poll.register(fd, select.POLLOUT)
    while told:
        try:
            if not poll.poll(max(0.0, ends - time.monotonic()) * 1000):
                break
            told = told[os.write(fd, told[:PIECE]) :]
        except OSError:
            break
    return len(told)
