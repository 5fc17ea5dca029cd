"""What one subscriber should be mailed, minute by minute: asks each minute what may go out, and plans nothing ahead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from shared.alarms.calendar import Window
from shared.alarms.incidents import Cause
from shared.alarms.plan import DUE_SOON

A_MINUTE, A_DAY = timedelta(minutes=1), timedelta(hours=24)
AT_ONCE, FEW, CALM, PAUSE = 3, 10, timedelta(minutes=10), timedelta(minutes=5)
HOLD, LONGEST, AGAIN = timedelta(minutes=2), timedelta(minutes=64), timedelta(hours=1)
Mail = tuple[datetime, str, frozenset[Cause]]


@dataclass
class Trouble:
    """A cause as it stands: open records, how bad, since when it is calm, how long it has to be."""

    since: datetime
    error: bool
    open: int
    last: datetime
    hold: timedelta = HOLD
    calm: datetime | None = None
    ended: datetime | None = None


@dataclass
class Story:
    """What the subscriber knows of a cause, and what waits to be told."""

    since: datetime
    error: bool
    told: bool = False
    waits: str | None = None
    slot: datetime | None = None
    snoozed: datetime | None = None
    known: bool = False
    remind: datetime | None = None
    over: bool = False


@dataclass
class Subscriber:
    """errors_only, hourly, quiet: what was asked for; windows: planned maintenance."""

    now: datetime
    errors_only: bool
    hourly: bool
    quiet: tuple[time, time] | None
    windows: list[Window] = field(default_factory=list)
    troubles: dict[Cause, Trouble] = field(default_factory=dict)
    stories: dict[Cause, Story] = field(default_factory=dict)
    mails: list[Mail] = field(default_factory=list)
    singles: list[datetime] = field(default_factory=list)
    together: datetime | None = None

    # -- time --------------------------------------------------------------------------------------------------------

    def pass_time(self, minutes: int) -> None:
        """Each minute: what has been calm for long enough is over; what may go out goes."""
        for _ in range(minutes):
            self.now += A_MINUTE
            self._mail()
            for cause, trouble in self.troubles.items():
                if trouble.calm is not None and trouble.ended is None and trouble.calm + trouble.hold <= self.now:
                    trouble.ended = self.now
                    self._over(cause)
            self._mail()

    def allowed(self, cause: Cause, at: datetime) -> bool:
        """Neither quiet hours nor maintenance forbid a mail. What has to be shipped today breaks the quiet."""
        if self.quiet and cause.code != DUE_SOON and self.quiet[0] <= at.time() < self.quiet[1]:
            return False
        return not any(
            each.starts <= at < each.ends
            for each in self.windows
            if each.starts and each.ends and (not each.interfaces or cause.interface in each.interfaces)
        )

    # -- what comes in -----------------------------------------------------------------------------------------------

    def fact(self, cause: Cause, open_: int, error: bool, news: int) -> None:
        """How a cause stands now."""
        self.facts({cause: (open_, error, news)})

    def facts(self, found: dict[Cause, tuple[int, bool, int]]) -> None:
        """How some causes stand now: all are heard before anything is told."""
        for cause, (open_, error, news) in found.items():
            self._fact(cause, open_, error, news)
        self._mail()

    def _fact(self, cause: Cause, open_: int, error: bool, news: int) -> None:
        trouble, said = self.troubles.get(cause), False
        if trouble is None or trouble.ended is not None:
            if not open_:
                return
            again = trouble is not None and trouble.ended is not None and self.now - trouble.ended < AGAIN
            hold = min(LONGEST, trouble.hold * 2) if again and trouble is not None else HOLD
            trouble = self.troubles[cause] = Trouble(self.now, error, open_, self.now, hold)
            said = True
        elif error and not trouble.error:
            trouble.error = said = True
        elif news and self.now - trouble.last >= A_MINUTE:
            said = True
        if said:
            trouble.last = self.now
        trouble.open = open_
        trouble.calm = None if open_ else (trouble.calm or self.now)
        if said:
            self._hear(cause, trouble)

    def know(self, cause: Cause) -> None:
        """Somebody says that they know."""
        story = self.stories.get(cause)
        if story is None or story.over:
            return
        story.known, story.remind = True, None
        if story.waits == "reminder":
            story.waits = None
        self._mail()

    def snooze(self, cause: Cause, until: datetime) -> None:
        """Somebody wants to hear of it later."""
        story = self.stories.get(cause)
        if story is None or story.over:
            return
        story.snoozed = story.remind = until
        self._mail()

    def calendar_changed(self) -> None:
        """Maintenance was planned or ended."""
        self._mail()

    # -- what follows ------------------------------------------------------------------------------------------------

    def _hear(self, cause: Cause, trouble: Trouble) -> None:
        story = self.stories.get(cause)
        if story is not None and story.over:  # it is back before the all-clear went out
            story.over, story.since, story.waits = False, trouble.since, None
            story.remind = None if story.known else self.now + A_DAY
        elif story is None or story.since != trouble.since:
            story = self.stories[cause] = Story(trouble.since, trouble.error)
        worse = trouble.error and not story.error
        story.error = trouble.error
        if self.errors_only and not story.error:
            return
        if not story.told:
            self._wait(story, "opened")
        elif worse:
            story.known, story.snoozed = False, None
            self._wait(story, "escalated")
        elif self.hourly and not story.known:
            self._wait(story, "reminder")

    def _wait(self, story: Story, news: str) -> None:
        if story.waits is not None and not (news == "escalated" and story.waits != "escalated"):
            return
        story.waits = story.waits if story.waits in ("opened", "escalated") else news
        hour = self.now.replace(minute=0, second=0)
        story.slot = hour + timedelta(hours=1) if self.hourly else self.now

    def _over(self, cause: Cause) -> None:
        story = self.stories.get(cause)
        if story is None:
            return
        if not story.told:
            del self.stories[cause]
            return
        story.over, story.waits, story.slot, story.snoozed, story.remind = True, "resolved", self.now, None, None

    def _mail(self) -> None:
        ready = [
            (cause, story)
            for cause, story in self.stories.items()
            if story.waits and max(each for each in (story.slot, story.snoozed) if each) <= self.now
            and self.allowed(cause, self.now)
        ]  # fmt: skip
        if self.hourly and (news := [each for each in ready if each[1].waits != "resolved"]):
            self.mails.append((self.now, "digest", frozenset(cause for cause, _ in news)))
            for _, story in news:
                self._told(story)
            ready = [each for each in ready if each not in news]
        if self.together is not None and self.now < self.together + PAUSE:
            return  # there was a mail just now: asked again in a minute
        letters = [(str(story.waits), cause) for cause, story in ready] + self._reminders()
        self._write(letters)
        for _, cause in letters:
            if self.stories[cause].over:
                del self.stories[cause]
            else:
                self._told(self.stories[cause])

    def _reminders(self) -> list[tuple[str, Cause]]:
        found = []
        for cause, story in self.stories.items():
            if story.waits or story.over or story.remind is None or story.remind > self.now:
                continue
            if self.allowed(cause, self.now):
                found.append(("reminder", cause))
            else:
                story.remind = self._first_allowed(cause)
        return found

    def _write(self, letters: list[tuple[str, Cause]]) -> None:
        """Each on its own while they are few; else one that has all of them."""
        if not letters:
            return
        lately = sum(self.now - CALM < each for each in self.singles)
        calm = self.together is None or self.now >= self.together + CALM
        if calm and len(letters) <= AT_ONCE and lately + len(letters) <= FEW:
            self.singles += [self.now] * len(letters)
            self.mails += [(self.now, kind, frozenset({cause})) for kind, cause in letters]
            return
        self.singles, self.together = [], self.now
        kinds = {kind for kind, _ in letters}
        alike = len(letters) == 1 or kinds in ({"resolved"}, {"reminder"})
        self.mails.append((self.now, min(kinds) if alike else "digest", frozenset(cause for _, cause in letters)))

    def _told(self, story: Story) -> None:
        story.told, story.waits, story.slot, story.snoozed = True, None, None, None
        story.remind = None if story.known else self.now + A_DAY

    def _first_allowed(self, cause: Cause) -> datetime:
        at = self.now
        while not self.allowed(cause, at):
            at += A_MINUTE
        return at


def in_order(mails: Iterable[Mail]) -> list[tuple[datetime, str, list[Cause]]]:
    """As they can be compared: at one moment any of them may come first."""
    return sorted((at, kind, sorted(causes)) for at, kind, causes in mails)
