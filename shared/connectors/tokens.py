"""Access tokens that a connector fetches with its credentials. Part of the contract; import it from `contract`.

A connector says how a token is fetched, and that one was refused. Who fetches it when, who else uses it, and for how
long it is kept is the runtime's affair.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

RENEW_BEFORE = 60.0
"""Seconds before its end at which a token is renewed, so that none expires on the way."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a token endpoint gave: the token, and for how many seconds it holds."""

    value: str = field(repr=False)
    seconds: float

    @property
    def kept(self) -> float:
        """Seconds for which it is used; a short-lived one is used for half of its life."""
        return max(self.seconds - RENEW_BEFORE, self.seconds / 2)


FetchToken = Callable[[], Token]
"""Makes the call that gets a new token. Raises RemoteError."""


class Tokens(Protocol):
    """The tokens of one side of an interface. Safe for many threads."""

    def get(self, name: str, fetch: FetchToken) -> tuple[str, bool]:
        """The token of that name, and whether this very call fetched it. Raises what fetch raises, or RemoteError."""
        ...

    def drop(self, name: str, value: str) -> None:
        """This token was refused: the next `get` fetches another, unless somebody has done so already."""
        ...


class OwnTokens:
    """Tokens of this process alone: for a single call by hand, and in front of those that are shared."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, tuple[str, float]] = {}

    def get(self, name: str, fetch: FetchToken) -> tuple[str, bool]:
        """The token, fetched by one thread while the others wait for it."""
        with self._lock:
            value, ends = self._held.get(name, ("", 0.0))
            if value and time.monotonic() < ends:
                return value, False
            token = fetch()
            self._held[name] = (token.value, time.monotonic() + token.kept)
            return token.value, True

    def drop(self, name: str, value: str) -> None:
        """Forget it, unless another thread has renewed it already."""
        with self._lock:
            if self._held.get(name, ("", 0.0))[0] == value:
                del self._held[name]
