"""Cuts a batch of events into the raw bytes of each, without reading them: one bad event must not spoil its neighbours.

Only strings, brackets and commas of the outermost level are looked at; what is between them is for intake to judge.
"""

from __future__ import annotations

import re

TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{},"]', re.DOTALL)
BLANK = b" \t\r\n"


def cut(body: bytes) -> list[bytes] | None:
    """The elements of a JSON array, each with its bytes as they came; None when it is not an array with an end."""
    text = body.strip(BLANK)
    if not text.startswith(b"["):
        return None
    parts: list[bytes] = []
    depth, start = 0, 1
    for token in TOKEN.finditer(text):
        match token[0]:
            case b"[" | b"{":
                depth += 1
            case b"]" | b"}":
                depth -= 1
                if depth == 0:
                    if token[0] != b"]" or token.end() != len(text):
                        return None
                    last = text[start : token.start()].strip(BLANK)
                    return [*parts, last] if last or parts else []
            case b"," if depth == 1:
                parts.append(text[start : token.start()].strip(BLANK))
                start = token.end()
            case b'"':  # a string without an end
                return None
            case _:
                pass
    return None
