"""Facts → incidents: pure, so that the running service and the look back say the same.

An incident is one cause (interface, flow, code, key) that keeps records from being done. More records of the same cause
are the same incident. It is over once nothing is open for a while; one that comes back within the hour has to stay away
longer each time, so that a flapping cause does not send a mail a minute.

A fact is kept as it was seen, with the moment of that, and the look back takes the same facts. What happens does not
depend on when `advance` is called (a property test).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

A_MINUTE = timedelta(minutes=1)
"""More of the same is told once a minute."""

HOLD = timedelta(minutes=2)
LONGEST_HOLD = timedelta(minutes=64)
CALM = timedelta(hours=1)
"""One that comes back after this long is as good as new."""

REMARK_LASTS = timedelta(hours=1)
"""A remark is open for nobody: it ends when no other one has come for this long."""


class Cause(NamedTuple):
    """What an incident is about. code: of the catalogue; key: the group of records, or what else tells two apart."""

    interface: str
    flow: str
    code: str
    key: str


Opening = tuple[Cause, datetime]
"""Which incident: its cause, and when it began."""


class Severity(StrEnum):
    """What alarms ask for."""

    WARNING = "warning"
    ERROR = "error"


class Kind(StrEnum):
    """What happens to an incident."""

    OPENED = "opened"
    MORE = "more"
    ESCALATED = "escalated"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Fact:
    """How one cause stood at a look.

    open: records that stand so and are not over; error: whether one of them failed; news: how many came since the last
    look; remarks: how many were done with a remark since then, which are open for nobody.
    """

    at: datetime
    cause: Cause
    open: int = 0
    error: bool = False
    news: int = 0
    remarks: int = 0


@dataclass(frozen=True, slots=True)
class Happening:
    """Something happened to an incident. since: when it opened; at: when this happened."""

    at: datetime
    cause: Cause
    kind: Kind
    severity: Severity
    since: datetime


@dataclass(slots=True)
class Standing:
    """An incident, open or lately over.

    open: records that stand so; last: when something was told of it; calm: since when nothing stands so; hold: how long
    that has to last; ended: when it was over.
    """

    since: datetime
    severity: Severity
    open: int = 0
    last: datetime | None = None
    calm: datetime | None = None
    hold: timedelta = HOLD
    ended: datetime | None = None


@dataclass(slots=True)
class Incidents:
    """All that stands, by cause. Changed by `advance` alone."""

    standing: dict[Cause, Standing] = field(default_factory=dict)


def advance(incidents: Incidents, facts: Iterable[Fact], until: datetime) -> list[Happening]:
    """Take facts in, ordered by time, and let time pass until `until`. What happened, in the order of time."""
    found: list[Happening] = []
    for fact in facts:
        found += _pass(incidents, fact.at)
        found += _take(incidents, fact)
    return found + _pass(incidents, until)


def tells(incidents: Incidents, fact: Fact) -> bool:
    """Whether a fact changes anything. One that says once more what stands does not, and need not be kept."""
    one = incidents.standing.get(fact.cause)
    if one is None or one.ended is not None:
        return bool(fact.open or fact.remarks)
    worse = fact.error and one.severity is Severity.WARNING
    return bool(fact.news or fact.remarks or worse or fact.open != one.open)


def _take(incidents: Incidents, fact: Fact) -> list[Happening]:
    at, news = fact.at, fact.news + fact.remarks
    severity = Severity.ERROR if fact.error else Severity.WARNING
    one = incidents.standing.get(fact.cause)
    found: list[Happening] = []
    if one is None or one.ended is not None:
        if not fact.open and not fact.remarks:
            return []
        one = incidents.standing[fact.cause] = _opened(one, at, severity)
        found.append(Happening(at, fact.cause, Kind.OPENED, severity, at))
    elif fact.error and one.severity is Severity.WARNING:
        one.severity = Severity.ERROR
        found.append(Happening(at, fact.cause, Kind.ESCALATED, one.severity, one.since))
    elif news and one.last is not None and at - one.last >= A_MINUTE:
        found.append(Happening(at, fact.cause, Kind.MORE, one.severity, one.since))
    if found:
        one.last = at
    one.open = fact.open
    one.calm = None if one.open else (one.calm or at)
    if fact.remarks and not one.open:
        one.calm = at
        one.hold = max(one.hold, REMARK_LASTS)
    return found


def _opened(before: Standing | None, at: datetime, severity: Severity) -> Standing:
    again = before is not None and before.ended is not None and at - before.ended < CALM
    hold = min(LONGEST_HOLD, before.hold * 2) if again and before is not None else HOLD
    return Standing(at, severity, hold=hold)


def _pass(incidents: Incidents, until: datetime) -> list[Happening]:
    over = [
        (one.calm + one.hold, cause)
        for cause, one in incidents.standing.items()
        if one.ended is None and one.calm is not None and one.calm + one.hold <= until
    ]
    found = []
    for at, cause in sorted(over):
        one = incidents.standing[cause]
        one.ended = at
        found.append(Happening(at, cause, Kind.RESOLVED, one.severity, one.since))
    for cause in [c for c, one in incidents.standing.items() if one.ended is not None and one.ended + CALM <= until]:
        del incidents.standing[cause]
    return found
