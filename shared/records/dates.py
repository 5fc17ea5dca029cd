"""Dates as people write them in a filter: `2026-11-01`, `2026-11-01T10:00`, `01.11.2026 10:00`, `2026-11-01T10:00Z`.

A date names a stretch of time (a day, a minute, a second) in the installation's time zone. A day lasts from midnight to
midnight, be it 23, 24 or 25 hours; a time that the clocks show twice names both. Called by `filter`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

WRITTEN = re.compile(
    r"(?:(?P<y>[0-9]{4})-(?P<m>[0-9]{2})-(?P<d>[0-9]{2})|(?P<D>[0-9]{1,2})\.(?P<M>[0-9]{1,2})\.(?P<Y>[0-9]{4}))"
    r"(?:[Tt ](?P<H>[0-9]{2}):(?P<min>[0-9]{2})(?P<sec>:[0-9]{2}(?P<frac>\.[0-9]{1,6})?)?"
    r"(?P<off>[Zz]|[+-][0-9]{2}:[0-9]{2})?)?"
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start` up to, not including, `end`, in UTC. twice: the second time, where the clocks show it twice."""

    start: datetime
    end: datetime
    twice: tuple[datetime, datetime] | None = None

    @property
    def last_end(self) -> datetime:
        """Where it is over for good."""
        return self.twice[1] if self.twice else self.end


def read(text: str, zone: ZoneInfo) -> Stretch:
    """The stretch of time a date names. Raises ValueError, also for days outside of the calendar."""
    found = WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError("not a date")
    part = found.groupdict()
    day = date(int(part["y"] or part["Y"]), int(part["m"] or part["M"]), int(part["d"] or part["D"]))
    if not 1900 <= day.year <= 2900:
        raise ValueError("no such year")
    if part["H"] is None:
        following = day + timedelta(days=1)
        return Stretch(_midnight(day, zone), _midnight(following, zone))
    second = float(part["sec"][1:]) if part["sec"] else 0.0
    length = timedelta(microseconds=1) if part["frac"] else timedelta(seconds=1 if part["sec"] else 60)
    clock = datetime(day.year, day.month, day.day, int(part["H"]), int(part["min"]), int(second))  # noqa: DTZ001
    if part["frac"]:
        clock = clock.replace(microsecond=int(part["frac"][1:].ljust(6, "0")))
    if part["off"]:
        offset = "+00:00" if part["off"] in "Zz" else part["off"]
        start = datetime.fromisoformat(clock.isoformat() + offset).astimezone(UTC)
        return Stretch(start, start + length)
    start, again = (clock.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return Stretch(start, start + length, (again, again + length) if again > start else None)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
