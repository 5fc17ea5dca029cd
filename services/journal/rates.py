"""How many requests one user, one token or one unknown address may make in a minute, beyond the brake at the login.

Counted in each Journal's memory: it keeps one caller from taking everybody's turn, and is no accounting. Each caller
has a bucket that fills evenly. Events that are posted are not counted: their limits are those of bodies, batches and
of how many are taken at once.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

USUAL = 6000
"""A minute: a hundred a second, which no person and hardly a program needs for reading."""
MOST_CALLERS = 10_000
NOT_COUNTED = frozenset({("POST", "/api/v1/events")})


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Rates:
    """The buckets of one process. Thread-safe."""

    def __init__(self, per_minute: int = USUAL, clock: Callable[[], float] = time.monotonic) -> None:
        """per_minute: 0 for no limit."""
        self.per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def wait_of(self, caller: str) -> int:
        """Count a request; 0 where it may go on, else the seconds until the next one may."""
        if not self.per_minute:
            return 0
        now, a_second = self._clock(), self.per_minute / 60
        with self._lock:
            bucket = self._buckets.get(caller)
            if bucket is None:
                if len(self._buckets) >= MOST_CALLERS:
                    self._forget(now, a_second)
                bucket = self._buckets[caller] = _Bucket(float(self.per_minute), now)
            bucket.left = min(float(self.per_minute), bucket.left + (now - bucket.at) * a_second)
            bucket.at = now
            if bucket.left < 1:
                return math.ceil((1 - bucket.left) / a_second)
            bucket.left -= 1
            return 0

    def _forget(self, now: float, a_second: float) -> None:
        """Those whose bucket is full again, and if that is not enough, whoever was away longest."""
        full = [
            caller
            for caller, bucket in self._buckets.items()
            if bucket.left + (now - bucket.at) * a_second >= self.per_minute
        ]
        oldest = sorted(self._buckets, key=lambda caller: self._buckets[caller].at)[: MOST_CALLERS // 10]
        for caller in full or oldest:
            del self._buckets[caller]
