"""What may stand in a header, and what one says. Pure.

A value with a line break would be a header of its own. Such a call is not made: nothing was sent, and whoever entered
the credential is told so; the value is shown nowhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from shared.connectors.cause import clock_difference

LONGEST_RETRY_AFTER = 3600.0
UNFIT = "not sent: a credential holds a character that no header may hold, such as a line break"


def fit(headers: Mapping[str, str]) -> bool:
    """Whether all of these may be sent: printable ASCII, no blank at an end."""
    return all(value.isascii() and value.isprintable() and value == value.strip() for value in headers.values())


def retry_after(value: str | None) -> float | None:
    """Seconds to wait out of a Retry-After header (seconds or an HTTP date), between 0 and one hour."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        ahead = clock_difference(value)
        if ahead is None:
            return None
        seconds = ahead
    if math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)
