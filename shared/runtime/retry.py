"""When to try again. Pure: the catalogue's schedule, stretched by a little chance, for up to five days."""

from __future__ import annotations

import random

from shared.errors.catalogue import entry
from shared.errors.entry import GIVE_UP_AFTER, LAST_DELAY, SCHEDULE

JITTER = 0.1


def next_after(
    code: str, tries: int, trying_seconds: float | None, least: float, chance: float | None = None
) -> float | None:
    """Seconds until the next try, or None when there should be none.

    tries: how many have failed before this one; trying_seconds: since the first of them; least: what the remote system
    asked for. chance in 0..1 spreads records that failed together (random when None).
    """
    policy = entry(code).retry
    if policy == "never" or (trying_seconds or 0.0) > GIVE_UP_AFTER.total_seconds():
        return None
    if policy == "now":
        return least
    delay = float(SCHEDULE[tries] if tries < len(SCHEDULE) else LAST_DELAY)
    spread = random.random() if chance is None else chance  # noqa: S311  # not a secret
    return max(least, delay * (1 - JITTER + 2 * JITTER * spread))
