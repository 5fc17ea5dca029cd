"""How deep an answer nests. What nests deeper than anybody documents cannot even be turned into a text without harm."""

from __future__ import annotations

import re

MOST_DEPTH = 64
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_OPENING, _CLOSING = b"[{", b"]}"
_OTHERS = bytes(set(range(256)) - set(_OPENING + _CLOSING))


def too_deep(body: bytes) -> bool:
    """Whether JSON nests deeper than `MOST_DEPTH`; found without recursion, and at once where it has few brackets."""
    if body.count(b"[") + body.count(b"{") <= MOST_DEPTH:
        return False
    depth = 0
    for bracket in _TEXT.sub(b"", body).translate(None, _OTHERS):
        depth += 1 if bracket in _OPENING else -1
        if depth > MOST_DEPTH:
            return True
    return False
