"""One incident as a subscriber knows it, and of which kind the next mail about it is. Pure; changed by `plan` alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.alarms.incidents import Cause, Severity


class Mailing(StrEnum):
    """Kinds of mails."""

    OPENED = "opened"
    ESCALATED = "escalated"
    DIGEST = "digest"
    REMINDER = "reminder"
    RESOLVED = "resolved"


@dataclass(slots=True)
class Told:
    """One incident as the subscriber knows it. due: when the news goes out; news: of which kind; slot: when it would
    go out if nothing held it back; by: who answered it."""

    cause: Cause
    since: datetime
    severity: Severity
    due: datetime | None = None
    slot: datetime | None = None
    news: Mailing | None = None
    told: datetime | None = None
    remind: datetime | None = None
    snoozed: datetime | None = None
    known: bool = False
    by: str | None = None
    over: bool = False

    def next(self) -> datetime | None:
        """When something goes out by itself."""
        return self.due if self.due is not None else None if self.over else self.remind

    def kind(self) -> Mailing:
        """Of which kind a mail about it alone is."""
        return Mailing.REMINDER if self.due is None else self.news or Mailing.OPENED


def turn(one: Told) -> int:
    """All-clears, news, reminders: the order of what is due at one moment."""
    return 0 if one.over else 1 if one.due is not None else 2


def kind_of(about: Sequence[Told]) -> Mailing:
    """What alike is told together keeps its kind, except news: of many they are a digest."""
    kinds = {one.kind() for one in about}
    same = len(kinds) == 1 and (len(about) == 1 or not kinds.isdisjoint((Mailing.RESOLVED, Mailing.REMINDER)))
    return kinds.pop() if same else Mailing.DIGEST
