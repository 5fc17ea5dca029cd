"""What may stand in a header, and what one says. Pure.

A value with a line break would be a header of its own. Such a call is not made: nothing was sent, and whoever entered
the credential is told so; the value is shown nowhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

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
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        # An HTTP date without a zone is UTC by definition.
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        seconds = (when - datetime.now(UTC)).total_seconds()
    if math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)
