"""When mails of a subscription may go: its slots, its quiet hours, its free days. Pure; clocks of its time zone."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

Frequency = Literal["immediately", "15min", "hourly", "daily", "weekly"]
A_DAY = timedelta(days=1)


class Hours(BaseModel):
    """quiet_from, quiet_to: no mail between them (also over midnight); weekends, free_days: quiet the whole day;
    calendar: so are the days of the business calendar; breaks_for_due: orders that are to be shipped within a day do
    not wait for the morning."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quiet_from: time | None = None
    quiet_to: time | None = None
    weekends: bool = False
    calendar: bool = False
    free_days: tuple[date, ...] = Field((), max_length=400)
    breaks_for_due: bool = True


class Slots(BaseModel):
    """at, weekday (0 is Monday): of a daily or weekly mail."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    frequency: Frequency
    at: time = time(7, 0)
    weekday: Annotated[int, Field(ge=0, le=6)] = 0


def next_slot(slots: Slots, after: datetime, zone: ZoneInfo) -> datetime:
    """When news that came at `after` is due: at once, or at the next full quarter, hour, day or week behind it."""
    if slots.frequency == "immediately":
        return after
    if slots.frequency in ("15min", "hourly"):
        step = timedelta(minutes=15) if slots.frequency == "15min" else timedelta(hours=1)
        local = after.astimezone(zone)
        whole = local.replace(minute=0, second=0, microsecond=0)
        # In absolute time from there on: an hour that the clock repeats or leaves out is an hour all the same.
        start = whole.astimezone(after.tzinfo)
        return start + step * ((after - start) // step + 1)
    day = after.astimezone(zone).date()
    while True:
        found = _at(day, slots.at, zone).astimezone(after.tzinfo)
        if found > after and (slots.frequency == "daily" or day.weekday() == slots.weekday):
            return found
        day += A_DAY


def loud_from(hours: Hours, moment: datetime, zone: ZoneInfo, business_free: frozenset[date] = frozenset()) -> datetime:
    """The first moment from `moment` on that is not quiet: `moment` itself where nothing forbids it.

    business_free: the free days of the business calendar.
    """
    free = frozenset(hours.free_days) | (business_free if hours.calendar else frozenset())
    found = moment
    for _ in range(len(free) * 2 + 16):  # each step leaves one quiet span; spans do not repeat
        later = _end_of_quiet(hours, free, found, zone)
        if later is None:
            return found
        found = later
    return found


def _end_of_quiet(hours: Hours, free: frozenset[date], moment: datetime, zone: ZoneInfo) -> datetime | None:
    local = moment.astimezone(zone)
    day = local.date()
    if day in free or (hours.weekends and day.weekday() >= 5):
        return _at(day + A_DAY, time(0), zone).astimezone(moment.tzinfo)
    start, end = hours.quiet_from, hours.quiet_to
    if start is None or end is None or start == end:
        return None
    now = local.time().replace(tzinfo=None)
    inside = start <= now < end if start < end else now >= start or now < end
    if not inside:
        return None
    until = _at(day if now < end else day + A_DAY, end, zone).astimezone(moment.tzinfo)
    # The hour that the clock repeats in autumn: the end has been there already, so the span goes on to the second one.
    return until if until > moment else moment + timedelta(minutes=1)


def _at(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at.replace(tzinfo=None), zone)
