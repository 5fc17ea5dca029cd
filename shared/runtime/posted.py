"""What somebody posts to a service's own port: bounded in size, in time, and in how many at once.

The port serves /metrics and takes, where a service says so, a webhook. It is no place for strangers' uploads: a body is
read whole before it is looked at, by a thread of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

READ_SECONDS = 10.0
"""For the whole body, however slowly it comes."""

MOST_BYTES = 1024 * 1024
AT_ONCE = 4
THROWN_AWAY = 8
"""Up to so many times as much is read before it is refused."""

PART_BYTES = 65_536
Answer = Callable[[bytes, str | None], tuple[int, object]]
"""Body and the header Authorization → status and a JSON value."""


class Unheard(Exception):
    """A request that is not answered by what takes it. status: of HTTP; the text says what is wrong."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status

    def problem(self) -> dict[str, object]:
        """As JSON."""
        return {"title": str(self), "status": self.status}


class Take:
    """What takes the POSTs of one path."""

    def __init__(self, answer: Answer, most_bytes: int = MOST_BYTES, at_once: int = AT_ONCE) -> None:
        """most_bytes: of a body; at_once: how many are answered at the same time, others get 503."""
        self.answer, self.most_bytes = answer, most_bytes
        self._room = threading.Semaphore(at_once)

    @contextmanager
    def room(self) -> Iterator[None]:
        """Hold one of the places. Raises Unheard (503) where all are taken."""
        if not self._room.acquire(blocking=False):
            raise Unheard(503, "Too many at once: try again in some seconds.")
        try:
            yield
        finally:
            self._room.release()


def read_body(request: BaseHTTPRequestHandler, most: int, seconds: float = READ_SECONDS) -> bytes:
    """The whole body. Raises Unheard: 411 without a length, 413 above `most` bytes, 408 where it takes too long."""
    length = request.headers.get("Content-Length", "")
    if not (length.isascii() and length.isdigit()):
        raise Unheard(411, "Content-Length is missing: say how long the body is.")
    large = len(length) > 12 or int(length) > most
    if large and (len(length) > 12 or int(length) > most * THROWN_AWAY):
        raise Unheard(413, f"The body is larger than {most} bytes.")
    parts = _parts(request, int(length), seconds)
    if large:  # read and thrown away, since who still writes would not see the answer
        for _ in parts:
            pass
        raise Unheard(413, f"The body is larger than {most} bytes.")
    return b"".join(parts)


def _parts(request: BaseHTTPRequestHandler, left: int, seconds: float) -> Iterator[bytes]:
    end = time.monotonic() + seconds
    while left:
        remaining = end - time.monotonic()
        try:
            if remaining <= 0:
                raise TimeoutError
            request.connection.settimeout(remaining)
            part = request.rfile.read1(min(left, PART_BYTES))
        except TimeoutError:
            raise Unheard(408, f"The body did not arrive within {seconds:g} seconds.") from None
        if not part:
            raise Unheard(400, "The body ended before its Content-Length.")
        left -= len(part)
        yield part
