"""Takes secrets out of what was exchanged with a remote system, and cuts it to size. Pure.

Two nets, one behind the other: the secrets of the settings wherever they stand, in whatever form a body may hold them;
and the values of fields whose name says that they are secret, such as tokens the remote system makes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "[secret]"
LOOK_BEYOND = 2
"""How many times the cap is looked at: what is taken out makes a text shorter."""

_NAMES = r"(?:token|secret|passw|authori[sz]|credential|(?:api|private)[_-]?key|signature|session)"
# It begins at the telling word: what stands before it in the name need not be looked at, character by character.
_NAMED = re.compile(
    rf"""({_NAMES}[^"\\]{{0,60}}\\*"\s*:\s*)"""  # also inside a text that is JSON itself
    r"""(\\+"(?:[^"\\]|\\(?!\\*"))*(?:\\+"|\Z)|"(?:[^"\\]|\\.)*(?:"|\\?\Z)|\[[^\]]*(?:\]|\Z)|[^\s,}\]\["{]+)""",
    re.IGNORECASE,
)
_QUERY = re.compile(rf"((?:{_NAMES}\w*|code)=)[^&\s\"]+", re.IGNORECASE)
_WORDS = ("token", "secret", "passw", "authori", "credential", "key", "signature", "session", "code=")


def redacted(text: str, secrets: Iterable[str]) -> str:
    """The text without secrets. secrets: see `forms`."""
    for form in secrets:
        text = text.replace(form, MASK)
    small = text.lower()
    if not any(word in small for word in _WORDS):  # most bodies, and this is many times faster than to look for a field
        return text
    return _QUERY.sub(rf"\g<1>{MASK}", _NAMED.sub(rf'\g<1>"{MASK}"', text))


def cut(body: bytes, cap: int, secrets: Sequence[str]) -> dict[str, Any]:
    """A body as it may be stored: `{"text", "left_out"}`, the latter being about how many characters were cut off."""
    looked = body[: cap * LOOK_BEYOND]
    # No NUL and no half of a character: no database takes them.
    text = looked.decode("utf-8", "replace").replace("\0", "\ufffd")
    behind = len(body) - len(looked)
    if behind:
        # A secret that begins in what is looked at and ends behind it would not be found.
        longest = max((len(form) for form in secrets), default=0)
        behind += min(longest, len(text))
        text = text[: max(0, len(text) - longest)]
    clean = redacted(text, secrets)
    kept = clean[:cap]
    return {"text": kept, "left_out": len(clean) - len(kept) + behind}


def forms(secrets: Iterable[str]) -> tuple[str, ...]:
    """Every form in which these secrets may stand in a body or an address, the longest first."""
    found: set[str] = set()
    for secret in secrets:
        plain = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
        found |= plain | {form.replace("/", r"\/") for form in plain}
        found |= {quote(secret, safe=safe, errors="replace") for safe in ("", "/")}
        found.add(quote_plus(secret, errors="replace"))
    return tuple(sorted(found - {""}, key=len, reverse=True))
