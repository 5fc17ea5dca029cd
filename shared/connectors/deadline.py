"""Sockets of HTTP calls: one deadline for a whole call, and allowed addresses only.

The client's own timeouts start anew with each read, so an answer that trickles in could hold a worker for ever. This
network backend cuts every socket operation of the calling thread to the time its call has left. It resolves a name
itself and connects to the very address that was checked, for this call, encrypted or not. `http.py` uses it.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpcore2
import httpx2

from shared.networks import Networks


class CallClock(threading.local):
    """Of the calling thread: when its call must be over, who may keep it back, whether it is encrypted, whether it had
    to open a connection; and how many answers it has read."""

    ends: float | None = None
    before_send: Callable[[], None] | None = None
    encrypted: bool = False
    connected: bool = False
    answers: int = 0

    @contextmanager
    def running(
        self, ends: float, before_send: Callable[[], None] | None = None, *, encrypted: bool = False
    ) -> Iterator[None]:
        """Hold the deadline `ends` (monotonic seconds) for the calls made inside; `before_send` may keep bytes back.

        encrypted: they go over https. What is not may go to named networks only.
        """
        self.ends, self.before_send, self.encrypted, self.connected = ends, before_send, encrypted, False
        try:
            yield
        finally:
            self.ends = self.before_send = None
            self.encrypted = False

    def left(self, timeout: float | None, error: type[Exception]) -> float | None:
        """Seconds an operation may take; raises `error` when none are left."""
        if self.ends is None:
            return timeout
        left = self.ends - time.monotonic()
        if left <= 0:
            raise error("deadline")
        return left if timeout is None else min(timeout, left)


class NotCalled(httpcore2.ConnectError):
    """Where a name leads is not called as it was asked for; nothing was connected."""

    def __init__(self, host: str, addresses: Sequence[str]) -> None:
        super().__init__(f"{host} is {', '.join(addresses)}")
        self.host = host
        self.addresses = tuple(addresses)


class AddressRefused(NotCalled):
    """A name leads to addresses that nobody allowed."""


class Unencrypted(NotCalled):
    """A name leads to addresses that may be called over https only."""


def allowed(host: str, port: int, networks: Networks, *, encrypted: bool) -> list[str]:
    """The addresses of a name that may be called. Raises NotCalled when it has others only, else ConnectError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError(str(error)) from error
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    open_ones = [address for address in addresses if networks.permits(host, address)]
    if not open_ones:
        raise AddressRefused(host, addresses)
    fit = [address for address in open_ones if networks.permits(host, address, encrypted=encrypted)]
    if not fit:
        raise Unencrypted(host, open_ones)
    return fit


class DeadlineBackend(httpcore2.NetworkBackend):
    """Sockets that know their call's deadline and where they may lead."""

    def __init__(self, clock: CallClock, networks: Networks) -> None:
        self._clock = clock
        self._networks = networks
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to an allowed address. Name resolution cannot be cut short; nothing is sent after the deadline."""
        self._clock.connected = True
        addresses = allowed(host, port, self._networks, encrypted=self._clock.encrypted)
        stream = self._first_that_answers(addresses, port, timeout, local_address, socket_options)
        try:
            self._clock.left(timeout, httpcore2.ConnectTimeout)
        except httpcore2.ConnectTimeout:
            stream.close()
            raise
        return DeadlineStream(stream, self._clock)

    def _first_that_answers(
        self,
        addresses: Sequence[str],
        port: int,
        timeout: float | None,
        local_address: str | None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None,
    ) -> httpcore2.NetworkStream:
        """Try one address after the other in the time that is left. Raises the last one's error."""
        options = None if socket_options is None else list(socket_options)
        for number, address in enumerate(addresses, 1):
            left = self._clock.left(timeout, httpcore2.ConnectTimeout)
            try:
                return self._sockets.connect_tcp(address, port, left, local_address, options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if number == len(addresses):
                    raise
        raise AssertionError("a name without any address is refused before")


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


def transport(clock: CallClock, base_url: str, networks: Networks, keep_idle: float) -> httpx2.HTTPTransport:
    """An HTTP client's transport on our sockets; httpx2 offers no parameter for the backend."""
    if base_url.startswith("https:"):
        context = httpx2.create_ssl_context(trust_env=False)
    else:
        # Reading the authorities takes 30 ms; without any, TLS would trust nobody.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made = httpx2.HTTPTransport(verify=context, trust_env=False)
    made._pool = httpcore2.ConnectionPool(
        ssl_context=context,
        max_connections=200,
        max_keepalive_connections=50,
        keepalive_expiry=keep_idle,
        network_backend=DeadlineBackend(clock, networks),
    )
    return made
