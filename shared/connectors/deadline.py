"""One deadline for a whole HTTP call, however many reads and writes it takes.

The client's own timeouts start anew with each read, so an answer that trickles in could hold a worker for ever. This
network backend cuts every socket operation of the calling thread to the time its call has left. `http.py` uses it.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore2


class CallClock(threading.local):
    """Of the calling thread: when its call must be over, who may keep it back, whether it had to open a connection."""

    ends: float | None = None
    before_send: Callable[[], None] | None = None
    connected: bool = False

    @contextmanager
    def running(self, ends: float, before_send: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold the deadline `ends` (monotonic seconds) for the calls made inside; `before_send` may keep bytes back."""
        self.ends, self.before_send, self.connected = ends, before_send, False
        try:
            yield
        finally:
            self.ends = self.before_send = None

    def left(self, timeout: float | None, error: type[Exception]) -> float | None:
        """Seconds an operation may take; raises `error` when none are left."""
        if self.ends is None:
            return timeout
        left = self.ends - time.monotonic()
        if left <= 0:
            raise error("deadline")
        return left if timeout is None else min(timeout, left)


class DeadlineBackend(httpcore2.NetworkBackend):
    """Sockets that know their call's deadline."""

    def __init__(self, clock: CallClock) -> None:
        self._clock = clock
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect. Name resolution cannot be cut short; but nothing is sent once the deadline is over."""
        self._clock.connected = True
        left = self._clock.left(timeout, httpcore2.ConnectTimeout)
        stream = self._sockets.connect_tcp(host, port, left, local_address, socket_options)
        try:
            self._clock.left(timeout, httpcore2.ConnectTimeout)
        except httpcore2.ConnectTimeout:
            stream.close()
            raise
        return DeadlineStream(stream, self._clock)


class DeadlineStream(httpcore2.NetworkStream):
    """A connection whose every operation is cut to the time that the calling thread's call has left."""

    def __init__(self, stream: httpcore2.NetworkStream, clock: CallClock) -> None:
        self._stream = stream
        self._clock = clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._clock.left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        left = self._clock.left(timeout, httpcore2.WriteTimeout)
        if buffer and self._clock.before_send is not None:  # the end of a request is an empty write: it is sent by then
            self._clock.before_send()  # nothing of ours lies between this and the socket
        self._stream.write(buffer, left)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        left = self._clock.left(timeout, httpcore2.ConnectTimeout)
        return DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, left), self._clock)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
