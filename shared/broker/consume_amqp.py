"""Takes messages from RabbitMQ with kombu.

Enters: queue names. Leaves: deliveries with their raw bytes; nothing is decoded here, because kombu's own decoding
acknowledges what it cannot read. Called through `open_consumer` by the loops of shared/runtime.
"""

from __future__ import annotations

import contextlib
import ssl
import struct
import time
from collections.abc import Sequence
from typing import Any

import amqp
from kombu.connection import Connection
from kombu.exceptions import KombuError

from shared.broker.address import Address
from shared.broker.buffered_reads import BufferedReads
from shared.broker.delivery import BrokerGone, Delivery
from shared.broker.origin import count, origin, routing_key

CONNECT_SECONDS = 3.0
PATIENCE_SECONDS = 8.0
CLOSE_SECONDS = 2.0
HEARTBEAT_SECONDS = 20
# The broker writes at least every half heartbeat. This is sooner than two heartbeats, which is what it allows us:
# a consumer that waits for Postgres keeps its connection, a frozen broker is noticed.
SILENCE_SECONDS = 17.0
# Of a cluster: a node that was silent for so long is asked whether it is there, because another one could be used.
ASK_SECONDS = 5.0
ANSWER_SECONDS = 3.0
BATCH_BYTES = 32 * 1024 * 1024

# A connection that breaks inside py-amqp also shows as an attribute of None, or as a frame that cannot be unpacked.
BROKEN: tuple[type[Exception], ...] = (amqp.AMQPError, KombuError, OSError, AttributeError, struct.error)


class AmqpConsumer:
    """One connection, one channel, one consumer per queue. Implements `Consumer`."""

    def __init__(self, address: Address, queues: Sequence[str], *, name: str, prefetch: int) -> None:
        """Connect to any node and start to consume. Raises BrokerGone, also when a queue is missing."""
        self._got: list[Delivery] = []
        self._unacked: dict[int, None] = {}  # delivery tags, in the order they came
        self._connection: Any = None
        self._amqp: Any = None
        self._reads: BufferedReads | None = None
        self._last_beat = time.monotonic()
        self._broken = False
        nodes = address.each()
        self._several = len(nodes) > 1
        for node in nodes:
            try:
                self._connect(node, queues, name, prefetch)
                return
            except BROKEN as error:
                self._broken = True
                self.close()
                if node is nodes[-1]:
                    raise _gone(error, address) from error

    def _connect(self, node: Address, queues: Sequence[str], name: str, prefetch: int) -> None:
        self._broken = False
        self._connection = _connection(node, name)
        self._connection.connect()
        self._amqp = self._connection.connection
        self._reads = BufferedReads(self._amqp.transport, PATIENCE_SECONDS)
        self._channel = self._connection.channel()
        # Bodies are bytes, whatever content-encoding says.
        self._channel.auto_decode = False
        # kombu's channel, but not its Consumer: that wraps each delivery in a Message, a fifth of the time it takes
        # to come in, only to offer decodings that nobody here may use.
        self._channel.basic_qos(0, prefetch, False)  # to each consumer that follows
        for queue in queues:
            self._channel.basic_consume(queue, callback=self._take_from(queue))

    def collect(self, wait: float, limit: int = 250) -> list[Delivery]:
        """See `Consumer`."""
        try:
            self._collect(time.monotonic() + wait, limit)
        except BROKEN as error:
            self._broken = True
            raise _gone(error) from error
        taken, self._got = self._got[:limit], self._got[limit:]
        return taken

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """See `Consumer`. A delivery of a consumer that was closed cannot be acked here: BrokerGone."""
        if any(delivery.tag[0] is not self for delivery in deliveries):
            raise BrokerGone("The delivery came over a connection that is closed; the broker delivers it again.")
        done = {delivery.tag[1] for delivery in deliveries} & self._unacked.keys()
        try:
            # "All up to here" covers every queue of the channel, so it is only said when all of them are done.
            upto = None
            for tag in self._unacked:
                if tag not in done:
                    break
                upto = tag
            if upto is not None:
                self._channel.basic_ack(upto, multiple=True)
            for tag in sorted(done):
                if upto is None or tag > upto:
                    self._channel.basic_ack(tag)
                del self._unacked[tag]
        except BROKEN as error:
            self._broken = True
            raise _gone(error) from error

    def close(self) -> None:
        """See `Consumer`. kombu's own release waits for ever on a frozen broker, so it is not used."""
        connection, self._amqp = self._amqp, None
        if connection is None:
            return
        if not self._broken and self._reads is not None:
            self._reads.give_up_at = time.monotonic() + CLOSE_SECONDS
            with contextlib.suppress(*BROKEN):  # gone is closed as well
                connection.close()
        with contextlib.suppress(*BROKEN):
            connection.collect()

    def _collect(self, until: float, limit: int) -> None:
        reads = self._reads
        if reads is None or self._amqp is None:
            raise ConnectionAbortedError("the connection is closed")
        size = 0
        while True:
            self._beat()
            while len(self._got) < limit and size < BATCH_BYTES and reads.ready():
                before = len(self._got)
                self._amqp.on_inbound_frame(reads.frame())
                size += len(self._got[-1].body) if len(self._got) > before else 0
            left = until - time.monotonic()
            if self._got or left <= 0:
                return
            if not reads.ready(min(left, 1.0)):
                silent = time.monotonic() - reads.last
                if silent > SILENCE_SECONDS:
                    raise ConnectionAbortedError("the broker has been silent for too long")
                if self._several and silent > ASK_SECONDS:
                    self._ask(reads)

    def _ask(self, reads: BufferedReads) -> None:
        """A new channel needs nothing but the node itself. Raises OSError when it does not answer."""
        reads.give_up_at = time.monotonic() + ANSWER_SECONDS
        self._amqp.channel().close()
        reads.give_up_at = None

    def _beat(self) -> None:
        if time.monotonic() - self._last_beat > HEARTBEAT_SECONDS / 4:
            self._amqp.send_heartbeat()
            self._last_beat = time.monotonic()

    def _take_from(self, queue: str) -> Any:
        def take(message: Any) -> None:
            info, properties = message.delivery_info, message.properties
            headers, tag = properties.get("application_headers") or {}, info["delivery_tag"]
            self._unacked[tag] = None
            self._got.append(
                Delivery(
                    body=bytes(message.body),
                    queue=queue,
                    routing_key=routing_key(queue, info["routing_key"], headers),
                    content_type=properties.get("content_type"),
                    origin=origin(queue, headers),
                    count=count(headers, bool(info["redelivered"])),
                    tag=(self, tag),
                )
            )

        return take


def _connection(address: Address, name: str) -> Any:
    tls: dict[str, Any] | bool = False
    if address.tls:
        tls = {
            "cert_reqs": ssl.CERT_REQUIRED,
            "server_hostname": address.host,
            "ca_certs": address.options.get("cacertfile"),
            "certfile": address.options.get("certfile"),
            "keyfile": address.options.get("keyfile"),
        }
    return Connection(  # type: ignore[no-untyped-call]
        hostname=address.host,
        port=address.port,
        userid=address.user,
        password=address.password,
        virtual_host=address.path,
        transport="pyamqp",
        ssl=tls,
        heartbeat=HEARTBEAT_SECONDS,
        connect_timeout=CONNECT_SECONDS,
        transport_options={
            "read_timeout": PATIENCE_SECONDS,
            "write_timeout": PATIENCE_SECONDS,
            "client_properties": {"connection_name": name},
        },
    )


def _gone(error: BaseException, address: Address | None = None) -> BrokerGone:
    if isinstance(error, amqp.NotFound):
        return BrokerGone(f"{error.reply_text}. `connect topology apply` makes what is missing.")
    if isinstance(error, amqp.ConsumerCancelled):
        return BrokerGone("The broker ended the consumer: a queue was deleted, or moves to another node.")
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    where = f" at {address}" if address else ""
    return BrokerGone(f"The broker{where} cannot be used: {what}")
