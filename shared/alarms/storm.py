"""How many mails a recipient gets at once: a few go each on its own, more become one, and one every few minutes. Pure.

A recipient who gets forty mails at night reads none of them; one mail with forty incidents is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

AT_ONCE, FEW = 3, 10
"""So many mails at one moment, and so many within `CALM`, go each on its own."""

CALM = timedelta(minutes=10)
"""A storm is over when so long no mail was due."""

PAUSE = timedelta(minutes=5)
"""While a storm goes on there is at most one mail in so long."""


@dataclass(slots=True)
class Storm:
    """What one subscription was mailed lately. alone: when mails went on their own, within `CALM`; gathered: when the
    last one went that began a storm, or in one."""

    alone: list[datetime] = field(default_factory=list)
    gathered: datetime | None = None

    def pauses_until(self, at: datetime) -> datetime | None:
        """When the next mail may go, if not at this moment."""
        end = None if self.gathered is None else self.gathered + PAUSE
        return end if end is not None and at < end else None

    def gathers(self, at: datetime, count: int) -> bool:
        """Whether what is due at this moment, which would be `count` mails, goes as one. Notes what goes then."""
        if not count:
            return False
        self.alone = [one for one in self.alone if at - one < CALM]
        on = self.gathered is not None and at - self.gathered < CALM
        if on or count > AT_ONCE or len(self.alone) + count > FEW:
            self.alone, self.gathered = [], at
            return True
        self.alone += [at] * count
        return False
