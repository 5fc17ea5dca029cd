"""What a subscriber is told, and when: happenings → mails, with a reason for every mail that is not sent.

Pure: the running service calls it with a few happenings at a time and keeps its state in the database, the look back
with those of two weeks at once; both get the same (a property test).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from shared.alarms.calendar import NOTHING, Calendar
from shared.alarms.hours import Hours, Slots, loud_from, next_slot
from shared.alarms.incidents import Cause, Happening, Incidents, Kind, Opening, Severity
from shared.alarms.storm import Storm
from shared.alarms.told import Mailing, Told, kind_of, turn

REMIND = timedelta(hours=24)
LONGEST_HELD = timedelta(days=366)
DUE_SOON = "ship-by-near"
"""The cause of orders that have to be shipped within a day."""


class Wish(BaseModel):
    """What one subscription asks for, as far as the plan must know. Empty interfaces or flows: all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    interfaces: frozenset[str] = frozenset()
    flows: frozenset[str] = frozenset()
    on: frozenset[Severity]
    slots: Slots
    hours: Hours = Hours()
    zone: str = "UTC"


class Silence(StrEnum):
    """Why there is no mail."""

    NOT_WANTED = "severity-not-wanted"
    COLLECTED = "collected"
    KNOWN = "incident-known"
    QUIET = "quiet-hours"
    MAINTENANCE = "maintenance"
    SNOOZED = "snoozed"
    ACKNOWLEDGED = "acknowledged"
    HEALED = "healed-before-its-time"
    NEVER_TOLD = "over-and-never-told"


@dataclass(frozen=True, slots=True)
class Decision:
    """At this moment: a mail about these incidents, or none, and why. until: when it is looked at again, where it is.

    about: which incidents; by: who answered, where that is the reason.
    """

    at: datetime
    what: Mailing | Silence
    about: tuple[Opening, ...]
    severity: Severity
    until: datetime | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said to an incident by a link of a mail: `until` set: tell me then; None: I know, do not remind."""

    at: datetime
    cause: Cause
    by: str
    until: datetime | None


@dataclass(slots=True)
class Plan:
    """The state of one subscription: its open incidents. Kept between two calls (`plans.py`).

    begun: whether it was told of what was open when it began; mark: of the calendar that its moments follow; storm:
    what it was mailed lately.
    """

    incidents: list[Told] = field(default_factory=list)
    begun: bool = False
    mark: str = ""
    storm: Storm = field(default_factory=Storm)

    def next(self) -> datetime | None:
        """When there is something to do although nothing happens."""
        return min((moment for one in self.incidents if (moment := one.next()) is not None), default=None)


def wanted(wish: Wish, cause: Cause) -> bool:
    """Whether the subscription is about this cause at all."""
    return (not wish.interfaces or cause.interface in wish.interfaces) and (not wish.flows or cause.flow in wish.flows)


def beginning(standing: Incidents, at: datetime) -> list[Happening]:
    """What a new subscription is told of first: all that is open, as if it opened now, with its true beginning."""
    return [
        Happening(at, cause, Kind.OPENED, one.severity, one.since)
        for cause, one in sorted(standing.standing.items(), key=lambda each: (each[1].since, each[0]))
        if one.ended is None
    ]


def advance(
    wish: Wish,
    plan: Plan,
    happenings: Sequence[Happening],
    answers: Sequence[Answer],
    until: datetime,
    calendar: Calendar = NOTHING,
) -> list[Decision]:
    """Go on to `until`. happenings and answers lie between the last `until` and this one. Changes `plan`."""
    return _Course(wish, plan, calendar).run(happenings, answers, until)


class _Course:
    def __init__(self, wish: Wish, plan: Plan, calendar: Calendar) -> None:
        self._wish = wish
        self._calendar = calendar
        self._zone = ZoneInfo(wish.zone)
        self._collects = wish.slots.frequency != "immediately"
        self._plan = plan
        self._of = {one.cause: one for one in plan.incidents}
        self._found: dict[tuple[datetime, Mailing | Silence, Severity, datetime | None, str | None, int], list[Opening]]
        self._found = {}
        self._slots: dict[datetime, datetime] = {}
        self._held: dict[tuple[str, bool, datetime], tuple[datetime, Silence]] = {}

    def run(self, happenings: Sequence[Happening], answers: Sequence[Answer], until: datetime) -> list[Decision]:
        self._follow_calendar()
        before: datetime | None = None
        inputs: list[Answer | Happening] = [*answers, *happenings]
        for one in sorted(inputs, key=attrgetter("at")):  # at one moment, answers first
            if one.at != before:  # what happens at one moment is taken in before anything is told of it
                self._send_due(one.at)
                before = one.at
            if isinstance(one, Answer):
                self._answered(one)
            elif wanted(self._wish, one.cause):
                self._happened(one)
        self._send_due(until)
        self._plan.incidents = [one for one in self._of.values() if not one.over or one.due is not None]
        self._plan.begun = True
        return [
            Decision(at, what, tuple(about), severity, until, by)
            for (at, what, severity, until, by, _), about in self._found.items()
        ]

    def _follow_calendar(self) -> None:
        """Somebody planned or ended maintenance: what waits goes out when it may now."""
        if (mark := self._calendar.mark()) == self._plan.mark:
            return
        self._plan.mark = mark
        for one in self._of.values():
            if one.due is not None and one.slot is not None:
                one.due = self._loud(one, max(one.slot, one.snoozed or one.slot))[0]

    # -- what comes in ------------------------------------------------------------------------------------------------

    def _happened(self, one: Happening) -> None:
        if one.kind is Kind.RESOLVED:
            self._resolved(one)
            return
        told = self._of.get(one.cause)
        if told is not None and told.over:  # it is back before anybody was told that it was over
            told.over, told.since, told.due, told.news = False, one.since, None, None
            told.remind = None if told.known else one.at + REMIND
        elif told is None or told.since != one.since:
            told = self._of[one.cause] = Told(one.cause, one.since, one.severity)
        grew = one.severity is not told.severity
        told.severity = one.severity
        if one.severity not in self._wish.on:
            self._silent(one.at, Silence.NOT_WANTED, told)
            return
        if told.told is None:
            self._plan_news(told, one.at, Mailing.OPENED)
        elif grew:
            told.known, told.snoozed, told.by = False, None, None
            self._plan_news(told, one.at, Mailing.ESCALATED)
        elif told.known:
            self._silent(one.at, Silence.ACKNOWLEDGED, told, by=told.by)
        elif not self._collects:
            self._silent(one.at, Silence.KNOWN, told, told.remind)
        else:
            self._plan_news(told, one.at, Mailing.REMINDER)

    def _plan_news(self, told: Told, at: datetime, news: Mailing) -> None:
        """Its news goes out at the next slot, or when the quiet ends. What waits already keeps its moment."""
        if told.due is not None and not (news is Mailing.ESCALATED and told.news is not Mailing.ESCALATED):
            return
        told.news = told.news if told.news in (Mailing.OPENED, Mailing.ESCALATED) else news
        slot = told.slot = self._slot(at)
        told.due, why = self._loud(told, slot if told.snoozed is None else max(slot, told.snoozed))
        if told.due > slot:
            snoozed = told.snoozed is not None and told.snoozed > slot
            self._silent(at, Silence.SNOOZED if snoozed else why, told, told.due, by=told.by if snoozed else None)
        elif slot > at:
            self._silent(at, Silence.COLLECTED, told, told.due)

    def _slot(self, at: datetime) -> datetime:
        found = self._slots.get(at)
        if found is None:
            found = self._slots[at] = next_slot(self._wish.slots, at, self._zone)
        return found

    def _loud(self, told: Told, moment: datetime) -> tuple[datetime, Silence]:
        """When a mail may go that is due then, and what holds it back until that."""
        breaks = told.cause.code == DUE_SOON and self._wish.hours.breaks_for_due
        key = (told.cause.interface if self._calendar.windows else "", breaks, moment)
        found = self._held.get(key)
        if found is None:
            found = self._held[key] = self._held_until(told.cause.interface, moment, breaks=breaks)
        return found

    def _held_until(self, interface: str, moment: datetime, *, breaks: bool) -> tuple[datetime, Silence]:
        found, why = moment, Silence.QUIET
        while True:
            quiet = found if breaks else loud_from(self._wish.hours, found, self._zone, self._calendar.free)
            maintained = self._calendar.maintained_until(interface, quiet)
            if found == moment and maintained is not None and quiet == moment:
                why = Silence.MAINTENANCE
            if maintained is None or maintained - moment > LONGEST_HELD:
                return quiet, why
            found = maintained

    def _resolved(self, one: Happening) -> None:
        told = self._of.get(one.cause)
        if told is None:
            return
        told.over = True
        if told.told is None:
            waiting = told.due is not None
            told.due = None
            if told.severity in self._wish.on:
                self._silent(one.at, Silence.HEALED if waiting else Silence.NEVER_TOLD, told)
            del self._of[one.cause]
            return
        told.news, told.snoozed, told.remind, told.slot = Mailing.RESOLVED, None, None, one.at
        told.due, why = self._loud(told, one.at)
        if told.due > one.at:
            self._silent(one.at, why, told, told.due)

    def _answered(self, one: Answer) -> None:
        told = self._of.get(one.cause)
        if told is None or told.over:
            return
        told.by = one.by
        if one.until is None:
            told.known, told.remind = True, None
            if told.news is Mailing.REMINDER:
                told.due = told.slot = told.news = None
            self._silent(one.at, Silence.ACKNOWLEDGED, told, by=one.by)
        else:
            told.snoozed = one.until
            told.remind = one.until
            if told.due is not None and told.due < one.until:
                told.due = self._loud(told, one.until)[0]
            self._silent(one.at, Silence.SNOOZED, told, one.until, by=one.by)

    # -- what goes out ------------------------------------------------------------------------------------------------

    def _send_due(self, until: datetime) -> None:
        while True:
            moments = [moment for one in self._of.values() if (moment := one.next()) is not None]
            moment = min(moments, default=None)
            if moment is None or moment > until:
                return
            self._send([one for one in self._of.values() if one.next() == moment], moment)

    def _send(self, ready: list[Told], at: datetime) -> None:
        """The news of a slot are one mail; all-clears, reminders and news that go at once are few mails, or one."""
        loose, news = list[Told](), list[Told]()
        for one in sorted(ready, key=turn):
            (news if one.due is not None and not one.over and self._collects else loose).append(one)
        if news:
            self._mail(at, Mailing.DIGEST, news)
        pause = self._plan.storm.pauses_until(at)
        if pause is not None:
            for one in loose:
                self._hold(one, at, pause)
            return
        told = [one for one in loose if one.due is not None or self._may_remind(one, at)]
        if self._plan.storm.gathers(at, len(told)):
            self._mail(at, kind_of(told), told)
        else:
            for one in told:
                self._mail(at, one.kind(), [one])

    def _hold(self, one: Told, at: datetime, pause: datetime) -> None:
        """There was a mail just now: this goes with the next one."""
        if one.due is None:
            one.remind = pause
            self._silent(at, Silence.COLLECTED, one, pause)
            return
        one.slot = pause
        one.due, why = self._loud(one, pause)
        self._silent(at, Silence.COLLECTED if one.due == pause else why, one, one.due)

    def _may_remind(self, one: Told, at: datetime) -> bool:
        loud, why = self._loud(one, at)
        if loud > at:
            one.remind = loud
            self._silent(at, why, one, loud)
        return loud == at

    def _mail(self, at: datetime, what: Mailing, about: list[Told]) -> None:
        standing = [one for one in about if not one.over]
        for one in about:
            if one.over:
                del self._of[one.cause]
            one.told, one.due, one.slot, one.news, one.snoozed = at, None, None, None, None
            one.remind = None if one.known or one.over else at + REMIND
        worst = Severity.ERROR if any(one.severity is Severity.ERROR for one in standing or about) else Severity.WARNING
        until = min((one.remind for one in about if one.remind), default=None)
        mail = len(self._found) + 1
        self._found[(at, what, worst, until, None, mail)] = [(one.cause, one.since) for one in about]

    def _silent(
        self, at: datetime, why: Silence, one: Told, until: datetime | None = None, *, by: str | None = None
    ) -> None:
        """No mail about many incidents for one reason at one moment is one decision."""
        self._found.setdefault((at, why, one.severity, until, by, 0), []).append((one.cause, one.since))
