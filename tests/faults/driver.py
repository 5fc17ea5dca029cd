"""Publishes events with confirms and keeps a ledger of what the broker said: the only witness of what was accepted.

What is not confirmed is published again until it is, except events that are told to go once: of those the ledger says
`unknown`, and they may have arrived or not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from shared.broker.delivery import Fate, Message
from shared.broker.open import open_publisher
from shared.records.hashes import body_hash
from tests.faults.draw import Drawn
from tests.support.system import INTERFACE

CHUNK = 40
PATIENCE = 90.0
AGAIN_SECONDS = 0.2


@dataclass(slots=True)
class Sent:
    """One event and what became of publishing it: how often it was tried, whether it was ever confirmed."""

    event: Drawn
    tries: int = 0
    confirmed: int = 0

    @property
    def digest(self) -> UUID:
        """Names the body."""
        return body_hash(self.event.body)


def _imported(_event: Drawn) -> str:
    return f"order-imported.v1.{INTERFACE}"


@dataclass
class Driver:
    """Publishes to one broker. The ledger is keyed by body: an event that is sent twice is in it once.

    routed: by which routing key an event goes.
    """

    url: str
    routed: Callable[[Drawn], str] = _imported
    ledger: dict[UUID, Sent] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _confirms: list[tuple[float, float]] = field(default_factory=list)
    _lull: threading.Event = field(default_factory=threading.Event)

    def publish(self, events: Sequence[Drawn], *, once: bool = False, deadline: float = 10.0, url: str = "") -> None:
        """Publish in chunks, each confirmed before the next; AssertionError when the broker stays away.

        url: of a broker or node to use in place of the driver's own.
        """
        publisher = open_publisher(url or self.url, name="faults-driver")
        end = time.monotonic() + PATIENCE
        try:
            for start in range(0, len(events), CHUNK):
                left = list(events[start : start + CHUNK])
                while left:
                    begun = time.monotonic()
                    fates = publisher.publish([Message(event.body, self.routed(event)) for event in left], deadline)
                    self._note(left, fates, begun)
                    left = [e for e, fate in zip(left, fates, strict=True) if fate is not Fate.CONFIRMED and not once]
                    if left:
                        self._lull.wait(AGAIN_SECONDS)
                    assert time.monotonic() < end, f"{len(left)} events were not confirmed in {PATIENCE:.0f} s"
        finally:
            publisher.close()

    def said(self, event: Drawn, accepted: bool) -> None:
        """Note what was answered to an event that went by another way than the broker."""
        self._note([event], [Fate.CONFIRMED if accepted else Fate.UNKNOWN], time.monotonic())

    @property
    def published(self) -> int:
        """Events so far; one that is sent twice counts twice, one that had to be tried again once."""
        with self._lock:
            return sum(max(1, sent.confirmed) for sent in self.ledger.values())

    def again(self, since: float) -> float:
        """When (monotonic) something was confirmed that was published after `since`; for ever, where nothing was."""
        with self._lock:
            return min((ended for begun, ended in self._confirms if begun >= since), default=float("inf"))

    def flow(self, events: Sequence[Drawn], **how: float | bool) -> Flow:
        """The same, on a thread of its own."""
        return Flow(self, events, how)

    def _note(self, events: Iterable[Drawn], fates: Sequence[Fate], begun: float) -> None:
        with self._lock:
            if Fate.CONFIRMED in fates:
                self._confirms.append((begun, time.monotonic()))
            for event, fate in zip(events, fates, strict=True):
                sent = self.ledger.setdefault(body_hash(event.body), Sent(event))
                sent.tries += 1
                sent.confirmed += fate is Fate.CONFIRMED


class Flow:
    """Events on their way, beside what else happens."""

    def __init__(self, driver: Driver, events: Sequence[Drawn], how: dict[str, float | bool]) -> None:
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(driver, events, how), daemon=True)
        self._thread.start()

    def _run(self, driver: Driver, events: Sequence[Drawn], how: dict[str, float | bool]) -> None:
        try:
            driver.publish(events, **how)  # type: ignore[arg-type]
        except BaseException as error:
            self._error = error

    @property
    def running(self) -> bool:
        """Whether there is more to publish."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Until all is published; raises what the thread raised."""
        self._thread.join(PATIENCE + 10)
        assert not self._thread.is_alive(), "the driver hangs"
        if self._error is not None:
            raise self._error
