"""When nothing arriving is odd: the same gap at night and at noon, with odd weeks, holidays and little history."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.alarms.calendar import Calendar, Window, federal_holidays
from shared.alarms.silence import suspicious

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 24, 10, 47, tzinfo=UTC)  # a Tuesday, 11:47 in Berlin
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def shop(weeks: int = 9, *, before: datetime = NOW - timedelta(minutes=47)) -> dict[datetime, list[int]]:
    """From 8 to 20 by Berlin's clock 24 orders an hour, a few more or less by the week; nothing at night."""
    found = {}
    for n in range(weeks * 168):
        hour = NOW.replace(minute=0) - HOUR * n
        if 8 <= hour.astimezone(BERLIN).hour < 20 and hour < before:
            found[hour] = [2 + (n // 168) % 2] * 12
    return found


def test_the_same_gap_is_odd_at_noon_and_not_at_night() -> None:
    since = NOW - timedelta(minutes=47)
    usual = suspicious(shop(), since, NOW, LONG_AGO, Calendar(zone=BERLIN))
    assert usual is not None
    assert (usual.low, usual.high) == (24, 36)
    assert usual.missing >= 16
    night = NOW + timedelta(hours=10)
    assert suspicious(shop(), night - timedelta(minutes=47), night, LONG_AGO, Calendar(zone=BERLIN)) is None


def test_one_dead_week_among_five_and_a_holiday_do_not_hide_a_silence() -> None:
    hours, since = shop(), NOW - timedelta(minutes=47)
    for n in range(24):
        hours.pop(NOW.replace(minute=0) - timedelta(weeks=2) - HOUR * n, None)
    assert suspicious(hours, since, NOW, LONG_AGO, Calendar(zone=BERLIN)) is not None
    for n in range(24):
        hours.pop(NOW.replace(minute=0) - timedelta(weeks=3) - HOUR * n, None)
    assert suspicious(hours, since, NOW, LONG_AGO, Calendar(zone=BERLIN)) is None, "two of eight are no accident"
    free = frozenset({(NOW - timedelta(weeks=3)).date()})
    assert suspicious(hours, since, NOW, LONG_AGO, Calendar(free, zone=BERLIN)) is not None


@pytest.mark.parametrize(
    ("since", "known", "calendar"),
    [
        (NOW - timedelta(minutes=14), LONG_AGO, Calendar(zone=BERLIN)),
        (NOW - timedelta(minutes=47), NOW - timedelta(weeks=2, days=3), Calendar(zone=BERLIN)),
        (NOW - timedelta(minutes=47), LONG_AGO, Calendar(frozenset({NOW.date()}), zone=BERLIN)),
    ],
    ids=["too short", "too little history", "a free day"],
)
def test_no_alarm(since: datetime, known: datetime, calendar: Calendar) -> None:
    assert suspicious(shop(), since, NOW, known, calendar) is None


def test_the_clock_of_the_shop_counts_when_it_changes() -> None:
    now = datetime(2026, 10, 27, 7, 20, tzinfo=UTC)  # 8:20; until two days ago that was 6:20 UTC
    hours = {at - HOUR * 24 * n: [5] * 12 for n in range(60) for at in [datetime(2026, 10, 27, 6, tzinfo=UTC)]}
    gap = now - timedelta(minutes=20)
    assert suspicious(hours, gap, now, LONG_AGO, Calendar(zone=BERLIN)) is not None
    assert suspicious(hours, gap, now, LONG_AGO, Calendar()) is None, "at 7 UTC it was quiet before"


def test_weekly_maintenance_runs_over_midnight_and_joins_what_follows() -> None:
    monday_night = Window(weekday=0, at=time(22), until=time(2))
    follows = Window(
        frozenset({"otto-de"}), datetime(2026, 11, 24, 0, tzinfo=UTC), datetime(2026, 11, 24, 5, tzinfo=UTC)
    )
    calendar = Calendar(windows=(monday_night, follows), zone=BERLIN)
    at = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
    assert calendar.maintained_until("otto-de", at) == datetime(2026, 11, 24, 5, tzinfo=UTC)
    assert calendar.maintained_until("otto-at", at) == datetime(2026, 11, 24, 1, tzinfo=UTC)
    assert calendar.maintained_until("otto-at", at - timedelta(hours=3)) is None


@pytest.mark.parametrize(
    ("year", "easter_monday"), [(2024, date(2024, 4, 1)), (2026, date(2026, 4, 6)), (1981, date(1981, 4, 20))]
)
def test_federal_holidays(year: int, easter_monday: date) -> None:
    days = federal_holidays(year)
    assert days[easter_monday] == "Ostermontag"
    assert len(days) == 9
