"""What somebody asks for in an alarm: the form of page, API and CLI, checked. Knows no database."""

from __future__ import annotations

from datetime import time
from email.errors import MessageError
from email.headerregistry import Address
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from shared.alarms.hours import Frequency, Hours, Slots
from shared.alarms.incidents import Severity
from shared.alarms.plan import Wish

Flow = Literal["order-import", "order-export", "stock"]


def _address(value: str) -> str:
    value = value.strip()
    try:
        found = Address(addr_spec=value)
    except (MessageError, ValueError, IndexError):
        found = Address()
    plain = value.isascii() and value.isprintable() and not any(c in value for c in ' <>,;:"\\()[]=?')
    if not plain or not found.username or "." not in found.domain.strip("."):
        raise ValueError("is not an e-mail address, e.g. bereitschaft@example.org")
    return value


def _recipient(value: str) -> str:
    address, colon, language = value.strip().partition(":")
    if colon and language not in ("de", "en"):
        raise ValueError("behind an address may stand its language, de or en, e.g. lena@example.org:en")
    return _address(address) + colon + language


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except Exception:
        raise ValueError("is not the name of a time zone, e.g. Europe/Berlin") from None
    return value


class Alarm(BaseModel):
    """A subscription. interfaces, flows: empty for all; on: of which severity; at, weekday: of daily and weekly mails;
    filter: only where at least one record of the incident matches it; recipients: addresses, each with its own language
    behind a colon where that is not the alarm's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    interfaces: tuple[Annotated[str, StringConstraints(max_length=63)], ...] = Field((), max_length=1000)
    flows: tuple[Flow, ...] = Field((), max_length=3)
    on: tuple[Severity, ...] = Field((Severity.ERROR,), min_length=1, max_length=2)
    frequency: Frequency = "immediately"
    at: time = time(7, 0)
    weekday: Annotated[int, Field(ge=0, le=6)] = 0
    hours: Hours = Hours()
    filter: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)] = ""
    language: Literal["de", "en"] = "en"
    time_zone: Annotated[str, AfterValidator(_zone)] | None = None
    recipients: tuple[Annotated[str, AfterValidator(_recipient)], ...] = Field((), max_length=50)

    def wish(self, zone: str) -> Wish:
        """What the plan has to know; zone: where the alarm has none of its own."""
        return Wish(
            interfaces=frozenset(self.interfaces),
            flows=frozenset(self.flows),
            on=frozenset(self.on),
            slots=Slots(frequency=self.frequency, at=self.at, weekday=self.weekday),
            hours=self.hours,
            zone=self.time_zone or zone,
        )
