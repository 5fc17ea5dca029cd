"""What an opened connector gets from the runtime for its calls: the rate limit before, the metrics after.

A worker can hang a guard on its thread: it is asked at the last moment, after any waiting for the rate limit, whether
the call may still be sent.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shared.metrics import Metrics
from shared.runtime.allowance import Allowance

Guard = Callable[[], None]


class Calls:
    """A `CallContext` for one side of one interface. Thread-safe."""

    def __init__(self, system: str, allowance: Allowance, metrics: Metrics) -> None:
        self._system = system
        self._allowance = allowance
        self._metrics = metrics
        self._guards = threading.local()

    @contextmanager
    def guarded(self, guard: Guard) -> Iterator[None]:
        """Within, this thread's calls ask the guard right before they are sent."""
        self._guards.guard = guard
        try:
            yield
        finally:
            self._guards.guard = None

    def before_call(self, operation: str) -> None:  # noqa: ARG002  # the contract's signature
        """Take a call from the rate limit, then ask this thread's guard: nobody needs to connect in vain."""
        self._allowance.take()
        self.before_send()

    def before_send(self) -> None:
        """Ask this thread's guard."""
        guard: Guard | None = getattr(self._guards, "guard", None)
        if guard is not None:
            guard()

    def after_call(self, operation: str, code: str, seconds: float) -> None:
        """Count it."""
        self._metrics.remote_requests.labels(self._system, operation, code).inc()
        self._metrics.remote_seconds.labels(self._system, operation).observe(seconds)
