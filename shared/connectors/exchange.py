"""What was said to a remote system and what it answered, for whoever listens on the thread that makes the call.

Headers are never kept: credentials travel there. What else is secret goes when an exchange is told, see `redacted`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from shared.connectors.redacted import cut, redacted

TARGET_CAP = 500
_PROOF = re.compile(r"(?i)auth|token|key|secret|session|cookie")
SHORTEST_PROOF = 8  # shorter ones are words, such as Bearer

# A context variable and no parameter: between the lane, which listens, and the call lies a vendor's whole connector.
_LISTENER: ContextVar[list[Exchange] | None] = ContextVar("listener", default=None)


@dataclass(slots=True)
class Exchange:
    """One call. status None: no answer came; wrong: why, in the words of RemoteError.

    operation: its bounded name; target: path and query; seconds: with the waiting for its turn left out.
    writes: it may change something; private: its bodies hold credentials and are never told;
    secrets: see `redacted.forms`.
    """

    operation: str
    method: str
    target: str
    request: bytes | None
    writes: bool
    private: bool
    secrets: tuple[str, ...]
    status: int | None = None
    response: bytes | None = None
    seconds: float = 0.0
    wrong: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether it was answered as its caller expected."""
        return self.wrong is None

    def told(self, request_cap: int, response_cap: int, target_cap: int = TARGET_CAP) -> dict[str, Any]:
        """As it may be stored and shown: without secrets, and bodies no longer than so many characters (0: left out).

        `{"operation","method","target","status","seconds","wrong","request","response"}`; a body is
        `{"text","left_out"}` (how many characters were cut off), None where there is none or it is not kept.
        """
        return {
            "operation": self.operation,
            "method": self.method,
            "target": shortened(redacted(self.target, self.secrets), target_cap),
            "status": self.status,
            "seconds": round(self.seconds, 3),
            "wrong": self.wrong and redacted(self.wrong, self.secrets).encode("utf-8", "replace").decode(),
            "request": self._body(self.request, request_cap),
            "response": self._body(self.response, response_cap),
        }

    def _body(self, body: bytes | None, cap: int) -> dict[str, Any] | None:
        if not body or not cap or self.private:
            return None
        return cut(body, cap, self.secrets)


def shortened(text: str, cap: int) -> str:
    """At most so many characters, the last of them "…" where some are missing."""
    return text if len(text) <= cap else f"{text[: cap - 1]}…"


@contextmanager
def listening() -> Iterator[list[Exchange]]:
    """Within, this thread's calls are put into the list, in their order."""
    heard: list[Exchange] = []
    token = _LISTENER.set(heard)
    try:
        yield heard
    finally:
        _LISTENER.reset(token)


def note(exchange: Exchange) -> None:
    """Let the thread's listener have it, if there is one."""
    heard = _LISTENER.get()
    if heard is not None:
        heard.append(exchange)


def credentials(headers: Mapping[str, str]) -> list[str]:
    """What of a caller's headers proves who we are, such as the token of a session."""
    shown = [value for name, value in headers.items() if _PROOF.search(name)]
    return [part for value in shown for part in value.split() if len(part) >= SHORTEST_PROOF]
