"""Reads from a py-amqp connection in large pieces, and never waits for ever.

py-amqp asks the socket about nine times per delivery, and waits without a deadline inside a frame: a frozen broker
holds it for good, also while it closes. Both meet in one private attribute of its transport, `_quick_recv`, which
this replaces. py-amqp is pinned; tests/flow/test_broker_contract.py fails when a new release has it no more.
"""

from __future__ import annotations

import select
import ssl
import struct
import time
from typing import Any

PIECE = 256 * 1024
HEAD = struct.Struct(">BHI")  # of an AMQP frame: its type, its channel, the size of what follows
END = 0xCE


class BufferedReads:
    """Stands between py-amqp and its socket, plain or TLS. Belongs to one thread."""

    def __init__(self, transport: Any, patience: float) -> None:
        """`patience`: how many seconds the rest of a frame, or an answer, may take."""
        self.patience = patience
        self.last = time.monotonic()  # when something arrived
        self.give_up_at: float | None = None  # a point in time that nothing may outlast, set while closing
        self._transport = transport
        self._read = transport._quick_recv
        self._socket = transport.sock
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._buffer = b""
        self._position = 0
        transport._quick_recv = self.receive

    def ready(self, wait: float = 0.0) -> bool:
        """Whether something can be read, now or within `wait` seconds. An ended connection counts."""
        if self._position < len(self._buffer):
            return True
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return True
        return bool(self._poll.poll(max(0.0, wait) * 1000))

    def frame(self) -> tuple[int, int, bytes]:
        """One frame: type, channel, content. Cut out where it lies in the buffer whole, else read by py-amqp.

        That is most of them in a batch; py-amqp takes nine steps for each, a quarter of what a message costs.
        """
        buffer, content = self._buffer, self._position + HEAD.size
        if len(buffer) > content:
            kind, channel, size = HEAD.unpack_from(buffer, self._position)
            end = content + size
            if len(buffer) > end and buffer[end] == END:
                self._position = end + 1
                return kind, channel, buffer[content:end]
        frame: tuple[int, int, bytes] = self._transport.read_frame()
        return frame

    def receive(self, size: int) -> bytes:
        """Up to `size` bytes, b"" at the end of the connection. Raises OSError when nothing comes."""
        if self._position == len(self._buffer):
            wait = self.patience
            if self.give_up_at is not None:
                wait = min(wait, self.give_up_at - time.monotonic())
            if not self.ready(wait):
                raise ConnectionAbortedError("the broker stopped in the middle of an answer")
            self._buffer = self._read(PIECE)
            self._position = 0
            self.last = time.monotonic()
        piece = self._buffer[self._position : self._position + size]
        self._position += len(piece)
        return piece
