"""What is shown of a remote system's error besides its message: a code and a field, only where they are such.

An answer may hold anything in their place, such as an address of its network or a line of a trace.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_CODE = re.compile(r"[A-Za-z][A-Za-z_]{0,79}|[0-9]{1,9}")
_PLACE = re.compile(r"\$|(?:\$\.?)?[A-Za-z_*]\w{0,39}(?:\[[\w*']{0,40}\]|\.\w{1,40})*")
LONGEST_PLACE = 200


def code(value: Any) -> str:
    """A vendor's word or number for an error, such as THROTTLED; empty for anything else."""
    text = "" if value is None else str(value)
    return text if _CODE.fullmatch(text) else ""


def place(value: Any) -> str:
    """Which field is meant, such as `positions.0.product` or `$.lines[0].sku`; empty for anything else."""
    text = "" if value is None else str(value)
    return text if len(text) <= LONGEST_PLACE and _PLACE.fullmatch(text) else ""


def joined(parts: Iterable[Any]) -> str:
    """The same for a path in parts."""
    return place(".".join(str(part) for part in parts))
