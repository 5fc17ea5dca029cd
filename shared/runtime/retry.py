"""When to try again. Pure: the catalogue's schedule, stretched by a little chance, until its time to give up."""

from __future__ import annotations

import random

from shared.errors.catalogue import entry

JITTER = 0.1


def next_after(
    code: str,
    tries: int,
    trying_seconds: float | None,
    least: float,
    chance: float | None = None,
    patience: float = 1.0,
) -> float | None:
    """Seconds until the next try, or None when there should be none.

    tries: how many have failed before this one; trying_seconds: since the first of them; least: what the remote system
    asked for. chance in 0..1 spreads records that failed together (random when None); patience: see `Timing`.
    """
    known = entry(code)
    delay = known.delay(tries + 1)
    left = known.give_up_after * patience - (trying_seconds or 0.0)
    if delay is None or left <= 0:
        return None
    spread = random.random() if chance is None else chance  # noqa: S311  # not a secret
    planned = delay * patience * (1 - JITTER + 2 * JITTER * spread)
    # The last try is made when the time is over, and not hours later.
    return max(least, min(planned, left))
