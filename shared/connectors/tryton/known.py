"""A bounded, thread-safe memory of things that Tryton knows by a code. What it does not know is never remembered."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

KEPT_SECONDS = 600.0
KEPT_AT_MOST = 50_000
Thing = TypeVar("Thing")


class Known(Generic[Thing]):
    """Code → thing, for about ten minutes: what was deleted is noticed by then."""

    def __init__(self, seconds: float = KEPT_SECONDS, most: int = KEPT_AT_MOST) -> None:
        self._seconds = seconds
        self._most = most
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[Thing, float]] = OrderedDict()

    def find(self, codes: Iterable[str]) -> dict[str, Thing]:
        """Those that are remembered."""
        now = time.monotonic()
        with self._lock:
            entries = {code: self._entries[code] for code in codes if code in self._entries}
        return {code: thing for code, (thing, until) in entries.items() if until > now}

    def learn(self, things: Mapping[str, Thing]) -> None:
        """Remember, and forget the oldest beyond the bound."""
        until = time.monotonic() + self._seconds
        with self._lock:
            for code, thing in things.items():
                self._entries[code] = (thing, until)
                self._entries.move_to_end(code)
            while len(self._entries) > self._most:
                self._entries.popitem(last=False)

    def forget(self, codes: Iterable[str]) -> None:
        """They may have changed."""
        with self._lock:
            for code in codes:
                self._entries.pop(code, None)
