"""A TCP proxy that misbehaves as told: what a remote system, a balancer or a bad line may do to a call.

It stands before a real stand-in and passes bytes on, so that a call is carried out, or not, as the fault says. `FAULTS`
says what each does and whether the remote system has heard of the call by then.
"""

from __future__ import annotations

import gzip
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

TRICKLE_BYTES, TRICKLE_SECONDS = 10, 0.05
HUGE_BYTES = 64 * 1024 * 1024
BOMB = gzip.compress(b" " * HUGE_BYTES, 9)
METADATA = "http://169.254.169.254/latest/meta-data/"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@dataclass
class Proxy:
    """fault: one of `FAULTS`, or empty: pass everything on; strikes: at which requests, by their first line; requests:
    the first lines of those that came, in their order."""

    port: int
    target: tuple[str, int]
    fault: str = ""
    strikes: Callable[[bytes], bool] = lambda _: True
    requests: list[bytes] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def serve(self, near: socket.socket) -> None:
        """One connection, request after request."""
        with near, suppress(OSError):
            while (request := _message(near)) is not None:
                first = request.partition(b"\r\n")[0]
                self.requests.append(first)
                FAULTS.get(self.fault if self.strikes(first) else "", passed_on)(self, near, request)

    def answer(self, request: bytes) -> bytes:
        """What the stand-in says."""
        with socket.create_connection(self.target, 10) as far:
            far.sendall(request)
            return _message(far) or b""


def passed_on(proxy: Proxy, near: socket.socket, request: bytes) -> None:
    """As if it were not there."""
    near.sendall(proxy.answer(request))


def reset_before(proxy: Proxy, near: socket.socket, request: bytes) -> None:
    """The connection is reset, the remote system has not heard of the call."""
    _reset(near)


def reset_after(proxy: Proxy, near: socket.socket, request: bytes) -> None:
    """It has carried it out, and the connection is reset."""
    proxy.answer(request)
    _reset(near)


def half_close(proxy: Proxy, near: socket.socket, request: bytes) -> None:
    """It says that it will say no more, and goes on listening."""
    near.shutdown(socket.SHUT_WR)
    proxy.done.wait(30)


def hang(proxy: Proxy, near: socket.socket, request: bytes) -> None:
    """It says nothing."""
    proxy.done.wait(30)


def drop_reply(proxy: Proxy, near: socket.socket, request: bytes) -> None:
    """It has carried it out, and the line is dead before a byte of the answer came."""
    proxy.answer(request)
    near.shutdown(socket.SHUT_RDWR)


def truncated(proxy: Proxy, near: socket.socket, request: bytes) -> None:
    """Half an answer, then the end."""
    reply = proxy.answer(request)
    near.sendall(reply[: len(reply) - max(1, len(reply.partition(b"\r\n\r\n")[2]) // 2)])
    near.shutdown(socket.SHUT_RDWR)


def trickle(proxy: Proxy, near: socket.socket, request: bytes) -> None:
    """Ten bytes every fifty milliseconds: it never stands still, and never ends."""
    status, _, rest = proxy.answer(request).partition(b"\r\n")
    reply = status + b"\r\nX-Slow: " + b"x" * 10_000 + b"\r\n" + rest
    for start in range(0, len(reply), TRICKLE_BYTES):
        near.sendall(reply[start : start + TRICKLE_BYTES])
        time.sleep(TRICKLE_SECONDS)


def endless_headers(proxy: Proxy, near: socket.socket, request: bytes) -> None:
    """One header after the other, for ever."""
    near.sendall(OK)
    while not proxy.done.is_set():
        near.sendall(b"X-More: " + b"x" * 1000 + b"\r\n")


def gzip_bomb(proxy: Proxy, near: socket.socket, request: bytes) -> None:
    """64 MiB in 64 KiB, though nobody asked for compression."""
    near.sendall(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB)


def huge_body(proxy: Proxy, near: socket.socket, request: bytes) -> None:
    """An answer of 64 MiB."""
    near.sendall(OK + b"Content-Length: %d\r\n\r\n" % HUGE_BYTES)
    for _ in range(HUGE_BYTES // 65536):
        near.sendall(b" " * 65536)


def redirect(proxy: Proxy, near: socket.socket, request: bytes) -> None:
    """To where cloud machines keep their credentials."""
    near.sendall(f"HTTP/1.1 302 Found\r\nLocation: {METADATA}\r\nContent-Length: 0\r\n\r\n".encode())


def wrong_type(proxy: Proxy, near: socket.socket, request: bytes) -> None:
    """A page for people, with the status of a success."""
    page = b"<html><body>Please log in</body></html>"
    near.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(page) + page)


FAULTS: Mapping[str, Callable[[Proxy, socket.socket, bytes], None]] = {
    each.__name__.replace("_", "-"): each
    for each in (
        reset_before, reset_after, half_close, hang, drop_reply, truncated, trickle, endless_headers, gzip_bomb,
        huge_body, redirect, wrong_type,
    )
}  # fmt: skip
CARRIED_OUT = ("reset-after", "drop-reply", "truncated", "trickle")


@contextmanager
def tcp_proxy(target: str) -> Iterator[Proxy]:
    """Stand before the address of a stand-in."""
    host, _, port = target.removeprefix("http://").partition(":")
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = Proxy(server.getsockname()[1], (host, int(port)))

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=proxy.serve, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield proxy
        finally:
            proxy.done.set()
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)


def _reset(near: socket.socket) -> None:
    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    near.close()


def _message(source: socket.socket) -> bytes | None:
    """One whole HTTP message; None at the end. Stand-ins say how long their answers are."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := source.recv(65536)):
            return data or None
        data += piece
    head = data.partition(b"\r\n\r\n")[0].lower()
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(data) < len(head) + 4 + length and (piece := source.recv(65536)):
        data += piece
    return data
