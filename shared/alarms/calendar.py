"""Planned maintenance and the business calendar, as the plan and the judge of silences ask for them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """While it lasts nothing is mailed about these interfaces (none: about all).

    starts, ends: once; or weekday (0 is Monday), at, until: each week, by the clock of the calendar, over
    midnight where `until` is not after `at`.
    """

    interfaces: frozenset[str] = frozenset()
    starts: datetime | None = None
    ends: datetime | None = None
    weekday: int | None = None
    at: time = time(0)
    until: time = time(0)

    def end(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        """When it is over, if it is on at this moment."""
        for start, end in self.spans(moment, zone):
            if start <= moment < end:
                return end
        return None

    def spans(self, moment: datetime, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
        """Its last and its next times around a moment, from and until."""
        if self.weekday is None:
            return [(self.starts, self.ends)] if self.starts and self.ends else []
        today = moment.astimezone(zone).date()
        back = (today.weekday() - self.weekday) % 7
        days = [today - A_DAY * back, today - A_DAY * (back + 7)]
        return [(_at(day, self.at, zone, moment), self._until(day, zone, moment)) for day in days]

    def _until(self, day: date, zone: ZoneInfo, moment: datetime) -> datetime:
        return _at(day if self.at < self.until else day + A_DAY, self.until, zone, moment)


@dataclass(frozen=True, slots=True)
class Calendar:
    """free: days on which nobody works; windows: planned maintenance; zone: whose clock both follow."""

    free: frozenset[date] = frozenset()
    windows: tuple[Window, ...] = ()
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))

    def maintained_until(self, interface: str, moment: datetime) -> datetime | None:
        """When the maintenance that is on at this moment is over; None where there is none. One that begins before
        another is over makes one long one."""
        found: datetime | None = None
        at = moment
        for _ in range(len(self.windows) * 2 + 1):
            ends = [end for one in self._of(interface) if (end := one.end(at, self.zone))]
            if not ends:
                return found
            found = at = max(ends)
        return found

    def maintained_last(self, interface: str, moment: datetime) -> datetime | None:
        """When the last maintenance before this moment was over."""
        ends = [end for one in self._of(interface) for _, end in one.spans(moment, self.zone) if end <= moment]
        return max(ends, default=None)

    def is_free(self, moment: datetime) -> bool:
        """Whether it is one of the free days."""
        return moment.astimezone(self.zone).date() in self.free

    def mark(self) -> str:
        """Another one when anything of it changes."""
        if not self.windows and not self.free:
            return ""
        windows = sorted(
            (sorted(one.interfaces), str(one.starts), str(one.ends), str(one.weekday), str(one.at), str(one.until))
            for one in self.windows
        )
        said = repr((sorted(self.free), windows, self.zone.key))
        return sha256(said.encode()).hexdigest()[:16]

    def _of(self, interface: str) -> list[Window]:
        return [one for one in self.windows if not one.interfaces or interface in one.interfaces]


NOTHING = Calendar()


def federal_holidays(year: int) -> dict[date, str]:
    """The holidays of all German states, with their German names."""
    easter = _easter(year)
    return {
        date(year, 1, 1): "Neujahr",
        easter - A_DAY * 2: "Karfreitag",
        easter + A_DAY: "Ostermontag",
        date(year, 5, 1): "Tag der Arbeit",
        easter + A_DAY * 39: "Christi Himmelfahrt",
        easter + A_DAY * 50: "Pfingstmontag",
        date(year, 10, 3): "Tag der Deutschen Einheit",
        date(year, 12, 25): "1. Weihnachtstag",
        date(year, 12, 26): "2. Weihnachtstag",
    }


def _easter(year: int) -> date:
    """Of the Gregorian calendar: the Sunday after the first full moon of spring, in Gauss' way of reckoning."""
    century, place = year // 100, year % 19
    moon = (15 + century - century // 4 - (8 * century + 13) // 25) % 30
    sunday = (4 + century - century // 4) % 7
    full = (19 * place + moon) % 30
    week = (2 * (year % 4) + 4 * (year % 7) + 6 * full + sunday) % 7
    days = full + week
    if days == 35 or (days == 34 and full == 28 and place > 10):
        days -= 7
    return date(year, 3, 22) + A_DAY * days


def _at(day: date, at: time, zone: ZoneInfo, like: datetime) -> datetime:
    return datetime.combine(day, at.replace(tzinfo=None), zone).astimezone(like.tzinfo)
