"""Publishes to RabbitMQ with pika: persistent, confirms pipelined, one fate per message.

Enters: messages. Leaves: fates. Called through `open_publisher` by the poller, the API, the command line (events) and
by intake and settle (wake-ups).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import pika
from pika.frame import Method
from pika.spec import Basic

from shared.broker.address import Address
from shared.broker.amqp_session import AmqpSession, SessionBroken
from shared.broker.delivery import Fate, Message
from shared.broker.topology import MAX_MESSAGE_BYTES, wake_queue

WINDOW = 1000  # messages without a confirm at a time
WAKE_SECONDS = 1.0
CLOSE_SECONDS = 2.0
IDLE_CLOSE_SECONDS = 0.3
# Of a cluster: after so long without any confirm the node is left. Where a queue lost its leader nobody knows the next
# one before the nodes take the old one for gone, and a channel that asked too early asks the dead one for ten seconds
# more: so tries are short, longer the longer it lasts, and of one message until something is confirmed again.
QUIET_SECONDS = 1.0
QUIET_SHARE = 1 / 8  # of the time since the last node was left for the first time
ATTEMPTS = 12
ANSWER_SECONDS = 1.0
NODE_SECONDS = 1.5


class AmqpPublisher:
    """Opens its connection when it is first needed, and again after a failure. Implements `Publisher`."""

    def __init__(self, address: Address, *, name: str) -> None:
        self._nodes = address.each()  # the first is used; one that is left goes to the end
        self._silent: dict[tuple[str, int], float] = {}  # when a node did not answer at all: such are asked last
        self._quiet_since: float | None = None  # nothing was confirmed since
        self._name = name
        self._session: AmqpSession | None = None
        self._round: _Round | None = None
        self._sent = 0  # messages on the confirming channel: the delivery tag of the last one
        self._no_wake_before = 0.0

    def publish(self, messages: Sequence[Message], deadline: float = 10.0) -> list[Fate]:
        """See `Publisher`. What no confirm came for is UNKNOWN, also when the broker cannot be reached at all."""
        until = time.monotonic() + deadline
        fates: list[Fate] = []
        for start in range(0, len(messages), WINDOW):
            fates += self._publish(messages[start : start + WINDOW], until)
        return fates

    def wake(self, stage: str, interfaces: Sequence[str]) -> None:
        """See `Publisher`."""
        now = time.monotonic()
        if now < self._no_wake_before or not interfaces:
            return
        try:
            session = self._open(now + WAKE_SECONDS)
            if session.blocked or session.plain is None:
                return
            for interface in interfaces:
                session.plain.basic_publish("", wake_queue(stage), interface.encode())
            session.flush(now + WAKE_SECONDS)
        except Exception:
            # A wake-up may be lost: the poll of the workers stands behind it. Do not try again with each one.
            self._no_wake_before = time.monotonic() + 5 * WAKE_SECONDS
            self._drop()

    def close(self) -> None:
        """See `Publisher`."""
        session, self._session = self._session, None
        if session is not None:
            session.close(time.monotonic() + CLOSE_SECONDS)

    def _publish(self, messages: Sequence[Message], until: float) -> list[Fate]:
        task = self._round = _Round(messages)
        try:
            for _ in range(ATTEMPTS):
                if not self._attempt(task, until) or time.monotonic() >= until:
                    break
        finally:
            self._round = None
        return task.fates

    def _attempt(self, task: _Round, until: float) -> bool:
        """Send what has no fate; whether it is worth asking another node for the rest."""
        try:
            session = self._open(until)
        except SessionBroken:
            return False
        if session.blocked and not session.run(lambda: not session.blocked, until):
            # A broker in alarm does not read, and it said so.
            if session.closed is None:
                task.refuse_unsent()
            return False
        for indexes in task.turns(one_first=self._quiet_since is not None):
            for index in indexes:
                self._send(session, index, task)
            if not self._answered(session, task, until):
                task.give_up(session.closed)
                self._drop()
                return len(self._nodes) > 1 and not task.nacked
            if task.nacked:
                # RabbitMQ 3.10: a channel that met a queue between two leaders asks the dead one for good.
                self._drop()
                return False
        return False

    def _answered(self, session: AmqpSession, task: _Round, until: float) -> bool:
        """Wait for the confirms; of a cluster, only while some come."""
        while len(self._nodes) > 1 and session.closed is None and time.monotonic() < until:
            left, now = len(task.open), time.monotonic()
            quiet = now - (self._quiet_since or now)
            if session.run(lambda: not task.open, min(until, now + max(QUIET_SECONDS, quiet * QUIET_SHARE))):
                return True
            if len(task.open) == left and session.closed is None and not session.blocked:
                self._quiet_since = self._quiet_since or now
                if not session.answers(min(until, time.monotonic() + ANSWER_SECONDS)):
                    self._silent[_place(self._nodes[0])] = time.monotonic()
                return False
        return session.run(lambda: not task.open, until)

    def _send(self, session: AmqpSession, index: int, task: _Round) -> None:
        message = task.messages[index]
        if len(message.body) > MAX_MESSAGE_BYTES or session.confirmed is None:
            task.fates[index] = Fate.REFUSED
            return
        try:
            # mandatory: with the default exchange, a queue that is missing would be confirmed all the same.
            session.confirmed.basic_publish(
                message.exchange, message.routing_key, message.body, _properties(message), mandatory=True
            )
        except Exception:
            # Too long a name, a header that cannot be written, or the channel is gone: it was not sent.
            task.fates[index] = Fate.REFUSED if session.closed is None else Fate.UNKNOWN
            return
        self._sent += 1
        task.open[self._sent] = index
        task.sent.add(index)

    def _open(self, until: float) -> AmqpSession:
        if self._session is not None and not self._session.stale:
            self._session.flush(until)  # notices what happened to the connection meanwhile
        if self._session is not None and self._session.stale:
            self._session.close(min(until, time.monotonic() + IDLE_CLOSE_SECONDS))
            self._session = None
        if self._session is None:
            self._session = self._connect(until)
            self._sent = 0
            channel = self._session.confirmed
            assert channel is not None
            channel.confirm_delivery(self._on_confirm)
            channel.add_on_return_callback(self._on_return)
        return self._session

    def _connect(self, until: float) -> AmqpSession:
        """Over the first node that lets us in, those last that were silent. Raises SessionBroken."""
        self._nodes.sort(key=lambda node: self._silent.get(_place(node), 0.0))
        for left in reversed(range(len(self._nodes))):
            node = self._nodes[0]
            try:
                patience = until if not left else min(until, time.monotonic() + NODE_SECONDS)
                session = AmqpSession(node, self._name, patience)
            except SessionBroken:
                self._silent[_place(node)] = time.monotonic()
                self._leave()
                if not left:
                    raise
            else:
                self._silent.pop(_place(node), None)
                return session
        raise AssertionError("there is a node")

    def _leave(self) -> None:
        """The next one, please."""
        self._nodes.append(self._nodes.pop(0))

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.abort()
            self._leave()

    def _on_confirm(self, frame: Method) -> None:
        method = frame.method
        if self._round is not None and self._session is not None:
            fate = Fate.CONFIRMED if isinstance(method, Basic.Ack) else Fate.REFUSED
            if fate is Fate.CONFIRMED:
                self._quiet_since = None
            self._round.settle(method.delivery_tag, method.multiple, fate)
            self._session.check()

    def _on_return(self, _channel: object, method: Basic.Return, *_: object) -> None:
        if self._round is not None:
            self._round.returned.add((method.exchange, method.routing_key))


class _Round:
    """The messages of one call and what is known about them."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.messages = messages
        self.fates = [Fate.UNKNOWN] * len(messages)
        self.open: dict[int, int] = {}  # delivery tag -> index, in the order they were sent
        self.sent: set[int] = set()  # indexes, over any node
        self.returned: set[tuple[str, str]] = set()
        self.nacked = False

    def turns(self, one_first: bool) -> Iterator[list[int]]:
        """The messages without a fate, by index; one alone before the others, where it is doubtful what comes of it."""
        rest = [index for index, fate in enumerate(self.fates) if fate is Fate.UNKNOWN]
        if one_first and rest:
            yield rest[:1]
            rest = rest[1:]
        if rest:
            yield rest

    def refuse_unsent(self) -> None:
        """No node has seen any of these."""
        for index in set(range(len(self.messages))) - self.sent:
            self.fates[index] = Fate.REFUSED

    def settle(self, tag: int, multiple: bool, fate: Fate) -> None:
        self.nacked |= fate is Fate.REFUSED
        tags = [tag]
        if multiple:
            tags = []
            for candidate in self.open:
                if candidate > tag:
                    break
                tags.append(candidate)
        for done in tags:
            index = self.open.pop(done, None)
            if index is not None:
                message = self.messages[index]
                # The broker confirms what it returned: it has done with it, but stored it nowhere.
                came_back = (message.exchange, message.routing_key) in self.returned
                self.fates[index] = Fate.REFUSED if came_back else fate

    def give_up(self, reason: BaseException | None) -> None:
        """The channel is gone, or the time is over. A missing or forbidden exchange refused what was meant for it."""
        if isinstance(reason, pika.exceptions.ChannelClosedByBroker) and reason.reply_code in (403, 404):
            for index in self.open.values():
                if f"exchange '{self.messages[index].exchange}'" in reason.reply_text:
                    self.fates[index] = Fate.REFUSED
        self.open.clear()


def _place(node: Address) -> tuple[str, int]:
    return node.host, node.port


def _properties(message: Message) -> pika.BasicProperties:
    return pika.BasicProperties(
        delivery_mode=2,
        content_type=message.content_type,
        message_id=message.message_id,
        headers=dict(message.headers),
    )
