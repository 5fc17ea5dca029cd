"""Whether it is suspicious that nothing arrives: the same span of the last weeks says what is usual. Pure.

A span is compared with itself, a week ago, two weeks ago and so on, by the clock of the calendar. One odd week among
five is left out, free days too. So a night is quiet in peace, and the same gap at noon is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.alarms.calendar import Calendar

WEEKS = 8
FEWEST_WEEKS = 3
"""With less history nobody knows what is usual."""

ENOUGH = 8
"""So many inputs have to be missing: by chance alone, none of eight comes once in three thousand times."""

SHORTEST = timedelta(minutes=15)
LONGEST = timedelta(hours=24)
"""A longer gap is judged by its last day."""

AN_HOUR = timedelta(hours=1)
SLOT = timedelta(minutes=5)
SLOTS = AN_HOUR // SLOT
EPOCH_STEP = 300

Hours = Mapping[datetime, Sequence[int]]
"""Inputs of one flow by the hour (a full one, UTC), in twelve slots of five minutes; hours without any are left out."""


@dataclass(frozen=True, slots=True)
class Usual:
    """How many come in this hour of the week, from and to, and how many are missing at least."""

    low: int
    high: int
    missing: int


def suspicious(hours: Hours, since: datetime, now: datetime, known: datetime, calendar: Calendar) -> Usual | None:
    """What is usual, if it is odd that nothing came from `since` to `now`; None if it is not. known: since when
    arrivals are counted."""
    if now - since < SHORTEST or calendar.is_free(now):
        return None
    since = max(since, now - LONGEST)
    spans = [span for week in range(1, WEEKS + 1) if (span := _ago(since, now, week, known, calendar))]
    if len(spans) < FEWEST_WEEKS:
        return None
    missing = _low([_count(hours, start, end) for start, end in spans])
    full = [end.replace(minute=0, second=0, microsecond=0) for _, end in spans]
    each = [sum(hours.get(hour, ())) for hour in full]
    if missing < ENOUGH or _low(each) < 1:
        return None
    return Usual(_low(each), _high(each), missing)


def _ago(
    since: datetime, now: datetime, weeks: int, known: datetime, calendar: Calendar
) -> tuple[datetime, datetime] | None:
    earlier: Callable[[datetime], datetime] = lambda at: (  # noqa: E731 - the same clock time, also across a change
        (at.astimezone(calendar.zone) - timedelta(weeks=weeks)).astimezone(at.tzinfo)
    )
    start, end = earlier(since), earlier(now)
    if start < known or calendar.is_free(start) or calendar.is_free(end):
        return None
    return start, end


def _count(hours: Hours, start: datetime, end: datetime) -> int:
    """Inputs in the slots that lie wholly between the two."""
    first = start.replace(minute=0, second=0, microsecond=0)
    found = 0
    for n in range((end - first) // AN_HOUR + 1):
        hour = first + AN_HOUR * n
        for slot, inputs in enumerate(hours.get(hour, ())):
            at = hour + SLOT * slot
            if inputs and at >= start and at + SLOT <= end:
                found += inputs
    return found


def _low(counts: Sequence[int]) -> int:
    return sorted(counts)[len(counts) // 5]


def _high(counts: Sequence[int]) -> int:
    return sorted(counts)[-1 - len(counts) // 5]
