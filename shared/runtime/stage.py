"""What a flow brings along for one stage: how to open a lane, handle claims, and look whether keys have come true."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.records.claim import Claim
from shared.records.interfaces import Interface
from shared.runtime.outcome import Outcome


class LeaseTooShort(Exception):
    """The lease would end before the call's deadline: the call must not be sent any more."""


@dataclass(slots=True)
class Held:
    """A claim in this process's hands, and until when (monotonic seconds)."""

    claim: Claim
    lease_end: float

    def check(self) -> None:
        """Raise LeaseTooShort unless a call sent now ends before anybody else may claim the record.

        The row is claimable only a whole call deadline after the lease, so it suffices that the lease has not ended.
        """
        if time.monotonic() >= self.lease_end:
            raise LeaseTooShort(f"record {self.claim.id}")


Say = Callable[[Held, Outcome], None]
"""Report one claim's outcome; from any thread, once per claim."""

Each = Callable[[Sequence[Held], Callable[[Held], Outcome]], None]
"""Run a function over claims on the lane's bounded threads, each reporting its outcome; does not wait: call it last."""


class Opened(Protocol):
    """A lane's handler, opened for one interface with one revision of its settings."""

    lag: float
    system: str  # how people call the remote system

    def handle(self, batch: Sequence[Held], say: Say, each: Each) -> None:
        """Report an outcome for every claim of the batch. What it raises concerns all that are not reported yet."""
        ...

    def probe(self, keys: Sequence[str]) -> set[str]:
        """Which of these remote keys have come true. Raises RemoteError."""
        ...

    def ping(self) -> None:
        """Raise RemoteError unless the remote system answers."""
        ...

    def close(self) -> None:
        """Close connections."""
        ...


class Stage(Protocol):
    """One stage of one flow.

    intends: its call is not idempotent; inline: handle on the work loop itself, because nothing remote is called;
    probes: prefixes of the keys that only a look can tell, e.g. `sku:`; tells: prefix of the key that comes true when a
    record of the stage ends well or is skipped, e.g. `order:`.
    slots: claims in hand at once for an interface, None for as many as its side allows calls; pause: seconds in which
    changes gather after a claim that did not fill them.
    """

    name: str
    flow: str
    side: str
    intends: bool
    inline: bool
    probes: tuple[str, ...]
    tells: str | None
    slots: int | None
    pause: float

    def open(self, interface: Interface) -> Opened:
        """Open for one interface. Raises ValueError when its settings do not fit."""
        ...
