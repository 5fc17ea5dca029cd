"""What an opened connector gets from the runtime for its calls: its turn before, the metrics after, shared tokens.

A worker can hang a guard on its thread: it is asked at the last moment, after any waiting for the rate limit, whether
the call may still be sent.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shared.connectors.contract import Reason, RemoteError, Tokens
from shared.metrics import Metrics
from shared.runtime.allowance import MOST_WAIT_SECONDS, Allowance
from shared.runtime.places import Places

Guard = Callable[[], None]


class Calls:
    """A `CallContext` for one side of one interface. Thread-safe.

    at_once: how many calls may be under way at the same time, look-ups included.
    """

    def __init__(self, system: str, allowance: Allowance, metrics: Metrics, tokens: Tokens, at_once: int) -> None:
        self._system = system
        self._allowance = allowance
        self._metrics = metrics
        self._tokens = tokens
        self._at_once = at_once
        self._places = Places(at_once)
        self._guards = threading.local()

    @property
    def tokens(self) -> Tokens:
        """Access tokens that all workers share."""
        return self._tokens

    @property
    def at_once(self) -> int:
        """How many calls may be under way at the same time."""
        return self._at_once

    @contextmanager
    def guarded(self, guard: Guard) -> Iterator[None]:
        """Within, this thread's calls ask the guard right before they are sent."""
        self._guards.guard = guard
        try:
            yield
        finally:
            self._guards.guard = None

    def before_call(self, operation: str) -> None:
        """Wait for a place among the calls under way, then for a turn; then ask this thread's guard.

        In this order: a turn that waited for a place would be late. Nobody needs to connect in vain.
        """
        if not self._places.take(MOST_WAIT_SECONDS):
            raise RemoteError(Reason.RATE_LIMITED, f"{operation}: too many calls are under way", retry_after=1.0)
        try:
            self._allowance.take()
            self.before_send()
        except BaseException:
            self._places.give_back()
            raise

    def before_send(self) -> None:
        """Ask this thread's guard."""
        guard: Guard | None = getattr(self._guards, "guard", None)
        if guard is not None:
            guard()

    def after_call(self, operation: str, code: str, seconds: float) -> None:
        """Count it."""
        self._places.give_back()
        self._metrics.remote_requests.labels(self._system, operation, code).inc()
        self._metrics.remote_seconds.labels(self._system, operation).observe(seconds)
