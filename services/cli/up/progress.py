"""Says on stderr what `connect up` is doing: a turning mark on a terminal, plain lines elsewhere.

Called by `run.py`. Stdout stays free for the result.
"""

import itertools
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Progress:
    """One step at a time; lines may be said in between from any thread."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        """`stream` may be a terminal or not."""
        self._stream = stream
        self._terminal = stream.isatty()
        self._lock = threading.Lock()
        self._doing = ""

    def say(self, text: str) -> None:
        """A line of its own."""
        with self._lock:
            self._clear()
            self._write(f"  {text}\n")

    @contextmanager
    def step(self, doing: str) -> Iterator[None]:
        """Show what is being done, then that it is done and how long it took."""
        began = time.monotonic()
        over = threading.Event()
        turning = threading.Thread(target=self._turn, args=(doing, over), daemon=True)
        if self._terminal:
            turning.start()
        good = False
        try:
            yield
            good = True
        finally:
            over.set()
            if self._terminal:
                turning.join()
            mark = "✓" if good else "✗"
            with self._lock:
                self._clear()
                self._write(f"{mark} {doing} ({time.monotonic() - began:.1f} s)\n")

    def _turn(self, doing: str, over: threading.Event) -> None:
        for frame in itertools.cycle(FRAMES):
            with self._lock:
                self._clear()
                self._write(f"{frame} {doing} …")
            if over.wait(0.1):
                return

    def _clear(self) -> None:
        if self._terminal:
            self._write("\r\x1b[2K")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except UnicodeEncodeError:
            self._stream.write(text.encode("ascii", "replace").decode())
        except (BrokenPipeError, ValueError):
            return  # nobody listens any more; the work goes on
