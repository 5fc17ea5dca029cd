"""The broker as it was seen last: whoever asks is never kept waiting for a broker that is slow or away.

seen() ─▶ fresh? ─▶ that
            └▶ one look, on a thread of its own ─▶ wait a moment for it ─▶ what is known by then
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from shared.broker.address import parse
from shared.broker.delivery import BrokerGone
from shared.broker.queues import QueueState, queues

FRESH_SECONDS = 4.0
PATIENCE_SECONDS = 0.4


@dataclass(frozen=True, slots=True)
class BrokerSeen:
    """kind: which broker; state: `here`, `away`, `unknown` (no look is over yet) or `not-told` (no address).

    queues are those of the last look that succeeded, at `at`; looking_since: a look that is still under way.
    """

    kind: Literal["rabbitmq", "pgmq", ""]
    state: Literal["here", "away", "unknown", "not-told"]
    at: datetime | None = None
    queues: tuple[QueueState, ...] = ()
    looking_since: datetime | None = None


class WatchedBroker:
    """Looks when somebody asks, at most every few seconds, one look at a time. Thread-safe."""

    def __init__(
        self,
        url: str | None,
        look: Callable[[str], list[QueueState]] = queues,
        *,
        fresh: float = FRESH_SECONDS,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._url, self._look = url, look
        self._fresh, self._patience = fresh, patience
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._looking: datetime | None = None
        self._looked = float("-inf")
        self._away: bool | None = None
        self._at: datetime | None = None
        self._queues: tuple[QueueState, ...] = ()

    def seen(self) -> BrokerSeen:
        """What is known now, within `patience` seconds."""
        if self._url is None:
            return BrokerSeen("", "not-told")
        with self._lock:
            if self._looking is None and time.monotonic() - self._looked > self._fresh:
                self._looking = datetime.now(UTC)
                self._over.clear()
                threading.Thread(target=self._see, args=(self._url,), name="broker", daemon=True).start()
            over, looking = self._over, self._looking
        if looking is not None:
            over.wait(self._patience)
        kind: Literal["rabbitmq", "pgmq"] = "pgmq" if parse(self._url).scheme == "pgmq" else "rabbitmq"
        with self._lock:
            state: Literal["here", "away", "unknown"] = (
                "unknown" if self._away is None else "away" if self._away else "here"
            )
            return BrokerSeen(kind, state, self._at, self._queues, self._looking)

    def _see(self, url: str) -> None:
        found: list[QueueState] | None = None
        try:
            found = self._look(url)
        except BrokerGone:
            pass  # its own words may hold an address; the services log them
        finally:
            with self._lock:
                self._away = found is None
                if found is not None:
                    self._at, self._queues = datetime.now(UTC), tuple(found)
                self._looking, self._looked = None, time.monotonic()
                self._over.set()
