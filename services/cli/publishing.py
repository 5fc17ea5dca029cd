"""Publishes lines of a file, each an event, until the broker has confirmed every one or the patience is over.

Enters: lines of bytes. Leaves: counts, and the lines that were not confirmed. What is no valid event is published
all the same: whether it is taken in or refused is decided, and shown, in one place. Called by `events`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from shared.broker.delivery import Fate, Message, Publisher

BATCH = 500
PATIENCE_STEP = 0.5
DEFAULT_QUEUE = "order-imported"
ROUTABLE = re.compile(r"[a-z0-9][a-z0-9.-]{0,100}")


@dataclass
class Published:
    """What came of it. left: the lines without a confirmation, in order."""

    confirmed: int = 0
    refused: int = 0
    unknown: int = 0
    left: list[bytes] = field(default_factory=list)


def message_of(line: bytes) -> Message:
    """The message for one line. What names no type and interface goes to a queue, where it becomes a rejection."""
    try:
        event = json.loads(line)
        kind, interface, event_id = event["type"], event["data"].get("interface"), event.get("id")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Message(line, DEFAULT_QUEUE, exchange="")
    if not isinstance(kind, str) or not ROUTABLE.fullmatch(kind):
        return Message(line, DEFAULT_QUEUE, exchange="")
    key = f"{kind}.{interface}" if isinstance(interface, str) and ROUTABLE.fullmatch(interface) else kind
    short = isinstance(event_id, str) and event_id.isascii() and event_id.isprintable() and len(event_id) <= 255
    return Message(line, key, message_id=event_id if short else None)


def publish(
    lines: Iterable[bytes],
    publisher: Publisher,
    *,
    patience: float,
    rate: float | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Published:
    """Publish all lines, at most `rate` a second. Gives up when nothing was confirmed for `patience` seconds.

    A line is published again until it is confirmed; that may make doubles, which Connect recognises.
    """
    total = Published()
    begin, sent = time.monotonic(), 0
    for batch in _batches(lines, BATCH if rate is None else max(1, min(BATCH, int(rate / 5)))):
        if rate is not None:
            time.sleep(max(0.0, begin + sent / rate - time.monotonic()))
        sent += len(batch)
        _confirm(batch, publisher, patience, total, progress)
    return total


def _confirm(
    batch: list[bytes], publisher: Publisher, patience: float, total: Published, progress: Callable[[int], None]
) -> None:
    left = [message_of(line) for line in batch]
    until, size = time.monotonic() + patience, BATCH
    while True:
        fates: list[Fate] = []
        for start in range(0, len(left), size):
            remaining = until - time.monotonic()
            piece = left[start : start + size]
            fates += publisher.publish(piece, min(10.0, remaining)) if remaining > 0 else [Fate.UNKNOWN] * len(piece)
        confirmed = fates.count(Fate.CONFIRMED)
        total.confirmed += confirmed
        progress(confirmed)
        open_ = [(message, fate) for message, fate in zip(left, fates, strict=True) if fate is not Fate.CONFIRMED]
        if not open_:
            return
        left = [message for message, _ in open_]
        if confirmed:
            until = time.monotonic() + patience
        if time.monotonic() + PATIENCE_STEP > until:
            break
        size = 1 if len(left) <= 50 else max(1, size // 4)  # a message that breaks the connection must stand alone
        time.sleep(PATIENCE_STEP)
    total.refused += sum(fate is Fate.REFUSED for _, fate in open_)
    total.unknown += sum(fate is Fate.UNKNOWN for _, fate in open_)
    total.left += [message.body for message in left]


def _batches(lines: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for line in lines:
        batch.append(line)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
