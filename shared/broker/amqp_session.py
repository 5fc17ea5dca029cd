"""One pika connection that is driven only while its thread waits for something.

Called by `publish_amqp`. pika's BlockingConnection waits for each confirm by itself and, once blocked or half open,
for ever; a SelectConnection confirms in bulk and gives every wait a deadline. Which one: docs/adr.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable

import pika
import pika.exceptions
from pika.channel import Channel

from shared.broker.address import Address

HEARTBEAT_SECONDS = 30
CONNECT_SECONDS = 3.0
BLOCKED_SECONDS = 10.0
# The broker drops a connection after one to two heartbeats without a word; a publisher that had nothing to say for
# this long opens a new one rather than publish into one that may be gone.
IDLE_SECONDS = 20.0


class SessionBroken(Exception):
    """The connection could not be opened, or is gone."""


class AmqpSession:
    """A connection with two channels: `confirmed` tells the fate of each message, `plain` (wake-ups) does not."""

    def __init__(self, address: Address, name: str, until: float) -> None:
        """Open it. Raises SessionBroken when it is not open by `until` (time.monotonic() seconds)."""
        self.blocked = False
        self.closed: BaseException | None = None
        self.used = time.monotonic()
        self.confirmed: Channel | None = None
        self.plain: Channel | None = None
        self._running = False
        self._wanted: Callable[[], bool] | None = None
        self._connection = pika.SelectConnection(
            parameters(address, name),
            on_open_callback=lambda _: self._open_channels(),
            on_open_error_callback=lambda _, error: self._end(error),
            on_close_callback=lambda _, error: self._end(error),
        )
        self._connection.add_on_connection_blocked_callback(lambda *_: self._set_blocked(True))
        self._connection.add_on_connection_unblocked_callback(lambda *_: self._set_blocked(False))
        if not self.run(lambda: self.confirmed is not None and self.plain is not None, until):
            reason = self.closed or TimeoutError("no answer in time")
            self.abort()
            raise SessionBroken(f"The broker at {address} cannot be used: {type(reason).__name__}: {reason}")

    @property
    def stale(self) -> bool:
        """Whether it must not be used any more."""
        return self.closed is not None or time.monotonic() - self.used > IDLE_SECONDS

    def run(self, wanted: Callable[[], bool], until: float) -> bool:
        """Send and receive until `wanted()`; False when it ends, or `until` comes, before."""
        loop = self._connection.ioloop
        self._wanted = wanted
        try:
            while self.closed is None and not wanted() and (left := until - time.monotonic()) > 0:
                timer = loop.call_later(left, loop.stop)
                self._running = True
                try:
                    loop.start()
                finally:
                    self._running = False
                    loop.remove_timeout(timer)
        except Exception as error:  # whatever pika raises out of its loop, the connection is of no more use
            self._end(error)
        finally:
            self._wanted = None
        self.used = time.monotonic()
        return self.closed is None and wanted()

    def answers(self, until: float) -> bool:
        """Whether the node says anything at all: for a new channel it needs neither a queue nor another node."""
        opened: list[Channel] = []

        def open_(channel: Channel) -> None:
            opened.append(channel)
            channel.close()
            self.check()

        self._connection.channel(on_open_callback=open_)
        return self.run(lambda: bool(opened), until)

    def flush(self, until: float) -> None:
        """Hand what was published to the system's socket and read what is there, without waiting for answers."""
        passes = iter((False, True))
        self._connection.ioloop.add_callback(self.check)
        self.run(lambda: next(passes, True), until)

    def check(self) -> None:
        """Called by callbacks: end the wait when what it waits for is there."""
        if self._running and (self.closed is not None or self._wanted is None or self._wanted()):
            self._connection.ioloop.stop()

    def close(self, until: float) -> None:
        """Close in order while the broker answers, else drop it. Never raises."""
        try:
            if self.closed is None:
                self._connection.close()
                self.run(lambda: False, until)
        except Exception as error:
            self._end(error)
        self.abort()

    def abort(self) -> None:
        """Drop the connection without a word to the broker. Never raises."""
        try:
            if not self._connection.is_closed:
                # Private, because pika's close() waits for the broker's answer, and a frozen one has none.
                self._connection._terminate_stream(ConnectionAbortedError("given up"))
                self.closed = None
                self.run(lambda: False, time.monotonic() + 0.5)
            self._connection.ioloop.close()
        except Exception as error:
            self._end(error)
        self._end(ConnectionAbortedError("closed"))

    def _open_channels(self) -> None:
        self._connection.channel(on_open_callback=self._confirming)
        self._connection.channel(on_open_callback=self._opened_plain)

    def _confirming(self, channel: Channel) -> None:
        channel.add_on_close_callback(lambda _, error: self._channel_closed(error))
        self.confirmed = channel
        self.check()

    def _opened_plain(self, channel: Channel) -> None:
        channel.add_on_close_callback(lambda _, error: self._channel_closed(error))
        self.plain = channel
        self.check()

    def _channel_closed(self, error: BaseException) -> None:
        if not isinstance(error, pika.exceptions.ChannelClosedByClient):  # else the connection's close follows
            self._end(error)

    def _set_blocked(self, blocked: bool) -> None:
        self.blocked = blocked
        self.check()

    def _end(self, error: BaseException) -> None:
        self.closed = self.closed or error
        self.check()


def parameters(address: Address, name: str) -> pika.ConnectionParameters:
    """How pika reaches the broker; `name` is what its tools show."""
    tls = None
    if address.tls:
        context = ssl.create_default_context(cafile=address.options.get("cacertfile"))
        if certificate := address.options.get("certfile"):
            context.load_cert_chain(certificate, address.options.get("keyfile"))
        tls = pika.SSLOptions(context, address.host)
    return pika.ConnectionParameters(
        host=address.host,
        port=address.port,
        virtual_host=address.path,
        credentials=pika.PlainCredentials(address.user, address.password),
        ssl_options=tls,
        heartbeat=HEARTBEAT_SECONDS,
        connection_attempts=1,
        socket_timeout=CONNECT_SECONDS,
        stack_timeout=CONNECT_SECONDS,
        blocked_connection_timeout=BLOCKED_SECONDS,
        client_properties={"connection_name": name},
    )
