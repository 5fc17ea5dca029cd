"""Writes a mail: plain and HTML twins that say the same in the same order. Pure: what is told comes in.

A subject holds texts of ours, an interface and a code, never what somebody else wrote: a mail's head must not be
written by a shop's customer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from importlib.resources import files
from tomllib import loads
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from shared import moments
from shared.alarms.contents import Contents
from shared.alarms.queue import Taken
from shared.alarms.rows import rows_filter
from shared.alarms.signed import Deed
from shared.alarms.storm import PAUSE
from shared.errors.catalogue import explain
from shared.errors.entry import Language
from shared.errors.problem import Problem
from shared.records.resources import OF_FLOW
from shared.unseen import in_text

A_MINUTE = timedelta(minutes=1)
SAFE = re.compile(r"[^A-Za-z0-9._:/-]")


@dataclass(frozen=True, slots=True)
class Post:
    """Where mails come from and where their links lead. sender: an address; base: of the Journal, without a slash;
    link: signs one, by what it does, whose it is, and when its mail was made."""

    sender: str
    base: str
    link: Callable[[Deed, int, datetime], str]

    @property
    def domain(self) -> str:
        """Of Message-IDs."""
        return self.sender.rpartition("@")[2] or "connect.invalid"


@cache
def texts(language: Language) -> Mapping[str, Mapping[str, str]]:
    """Every text of the mails, by table and name."""
    return loads((files("services.alerts") / "texts" / f"{language}.toml").read_text(encoding="utf-8"))


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(str(files("services.alerts") / "templates")),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def letter(mail: Taken, found: Sequence[Contents], post: Post, now: datetime) -> EmailMessage:
    """The whole message. found: the incidents it is about, none for a test or a question."""
    writer = _Writer(mail, post, now)
    message = EmailMessage(policy=SMTP)
    message["From"] = f"Connect <{post.sender}>"
    message["To"] = mail.address
    message["Subject"] = writer.subject(found)
    message["Date"] = mail.created_at
    message["Message-ID"] = f"<connect.{mail.message_id}@{post.domain}>"
    if mail.thread:
        message["In-Reply-To"] = message["References"] = f"<connect.{mail.thread}@{post.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message["List-Id"] = f"<alarm.{mail.subscription}.connect.{post.domain}>"
    if mail.kind != "confirm":
        message["List-Unsubscribe"] = f"<{post.base}/alarms/leave/{writer.link('leave')}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    values = writer.values(found)
    message.set_content(in_text(_templates().get_template("mail.txt").render(values)))
    message.add_alternative(in_text(_templates().get_template("mail.html").render(values)), subtype="html")
    return message


class _Writer:
    def __init__(self, mail: Taken, post: Post, now: datetime) -> None:
        self._mail, self._post, self._now = mail, post, now
        self._language: Language = "de" if mail.language == "de" else "en"
        self._zone = ZoneInfo(mail.time_zone)

    def say(self, text_name: str, /, **values: Any) -> str:
        table, _, text = text_name.partition(".")
        found = texts(self._language)[table][text]
        return found.format(**values) if values else found

    def link(self, deed: Deed) -> str:
        return self._post.link(deed, self._mail.recipient, self._mail.created_at)

    def subject(self, found: Sequence[Contents]) -> str:
        if not found:
            return self.say(f"subject.{self._mail.kind}", name=SAFE.sub("_", self._mail.name))
        kind = "resolved" if self._mail.kind == "resolved" else str(self._mail.severity)
        places = sorted({one.cause.interface for one in found if one.cause.interface})
        place = ", ".join(SAFE.sub("_", place) for place in places[:3]) + (" …" if len(places) > 3 else "")
        if len(found) > 1:
            what = self._count(found)
        else:
            one = found[0]
            count = f" ({moments.number(one.standing or one.records, self._language)})"
            count = "" if one.cause.flow == "infrastructure" or not one.records else count
            what = f"{self.say('flow.' + one.cause.flow)}, {SAFE.sub('_', one.cause.code)}{count}"
        return f"{self.say('subject.' + kind)} {place}: {what}" if place else f"{self.say('subject.' + kind)} {what}"

    def _count(self, found: Sequence[Contents]) -> str:
        over = sum(one.ended is not None for one in found)
        name = "subject.digest_some_over" if 0 < over < len(found) else "subject.digest"
        return self.say(name, count=len(found), over=over)

    def values(self, found: Sequence[Contents]) -> dict[str, Any]:
        mail = self._mail
        every = self.say("foot.all")
        base = self._post.base
        return {
            "language": self._language,
            "say": self.say,
            "kind": mail.kind,
            "name": mail.name,
            "now": self._when(self._now),
            "count": self._count(found),
            "incidents": [self._incident(one) for one in found],
            "next": self._next(len(found)),
            "foot": self.say(
                "foot.alarm",
                name=mail.name,
                interfaces=", ".join(mail.interfaces) or every,
                frequency=self.say(f"foot.{mail.frequency}"),
            ),
            "leave": f"{base}/alarms/leave/{self.link('leave')}",
            "confirm": f"{base}/alarms/confirm/{self.link('confirm')}",
            "why": f"{base}/alarms/{mail.subscription}",
        }

    def _incident(self, one: Contents) -> dict[str, Any]:
        problem = Problem(one.cause.code, values=_values(one))
        said = explain(problem, self._language)
        over, own = one.ended is not None, one.cause.flow == "infrastructure"
        say = self.say
        lasted = moments.lasting(one.since, one.ended or self._now, self._language).partition(" ")[2]
        if own:
            what = say("what.no_record") if over else said.cause
        elif over:
            count = {"count": self._number(one.records), "left": self._number(one.standing)}
            name = "what.healed_rest" if one.standing else "what.healed"
            what = say(f"{name}_one" if one.records == 1 else name, **count)
        elif not one.records:
            what = say("what.no_record")
        else:
            what = say("what.orders_one" if one.standing == 1 else "what.orders", count=self._number(one.standing))
        value = " + ".join(moments.money(str(v), c, self._language) for c, v in sorted(one.sums.items()))
        return {
            "severity": "resolved" if over else one.severity,
            "state": say("what.resolved", lasted=lasted)
            if over
            else say(f"what.{one.severity}", when=self._when(one.since)),
            "title": said.title,
            "where": f"{one.cause.interface} · {say('flow.' + one.cause.flow)}".strip(" ·"),
            "place": one.cause.interface or say("flow." + one.cause.flow),
            "flow": say("flow." + one.cause.flow),
            "code": one.cause.code,
            "what": what if one.records or own else f"{said.cause} {what}",
            "steps": () if over else said.steps,
            "figures": [] if over or own or not one.records else self._figures(one, value, lasted),
            "rows": [] if over else [self._row(row) for row in one.rows],
            "heading": say(
                "do.first" if one.standing > len(one.rows) else "do.all",
                count=self._number(one.standing),
                **({"shown": len(one.rows)} if one.standing > len(one.rows) else {}),
            ),
            "link": self._rows_link(one),
            "open": say("do.status" if own else "do.open"),
            "acknowledge": "" if over or not one.id else self._answer(one, "known"),
            "snooze": "" if over or not one.id else self._answer(one, "later"),
        }

    def _figures(self, one: Contents, value: str, lasted: str) -> list[tuple[str, str, bool]]:
        """(figure, what it is, whether it is bad)."""
        return [
            (self._number(one.standing), self.say("figure.records"), False),
            *([(value, self.say("figure.value"), False)] if value else []),
            *([(self._number(one.due), self.say("figure.due"), True)] if one.due else []),
            (lasted, self.say("figure.open"), False),
        ]

    def _row(self, row: Any) -> dict[str, Any]:
        soon = row.ship_by is not None and (row.ship_by - self._now).total_seconds() < 86_400
        return {
            "key": row.key,
            "reason": explain(_problem(row.problem), self._language).title if row.problem else "",
            "ordered": self.say("do.ordered", when=self._when(row.ordered_at)) if row.ordered_at else "",
            "due": self.say("do.due", when=self._when(row.ship_by)) if soon else "",
            "amount": moments.money(None if row.amount is None else str(row.amount), row.currency, self._language),
        }

    def _rows_link(self, one: Contents) -> str:
        if not one.cause.interface or one.cause.flow not in OF_FLOW:
            return f"{self._post.base}/"
        name = OF_FLOW[one.cause.flow].name
        term = rows_filter(one.cause, one.problem)
        asked = "?" + urlencode({"filter": term}) if term else ""
        return f"{self._post.base}/interfaces/{one.cause.interface}/{name}{asked}"

    def _answer(self, one: Contents, what: str) -> str:
        return f"{self._post.base}/alarms/answer/{self.link('answer')}/{one.id}/{what}"

    def _next(self, count: int) -> str:
        mail, many = self._mail, count > 1
        # What an alarm collects anyway is a digest, too; it says nothing about how much is going on.
        storm = many and (mail.kind != "digest" or mail.frequency == "immediately")
        if mail.kind == "resolved":
            said = self.say("next.over_many" if many else "next.over")
        elif mail.until is None:
            said = self.say("next.none")
        else:
            said = self.say("next.open_then" if storm else "next.reminder", when=self._when(mail.until))
        return f"{said} {self.say('next.storm', minutes=PAUSE // A_MINUTE)}" if storm else said

    def _number(self, value: int) -> str:
        return moments.number(value, self._language)

    def _when(self, at: datetime) -> str:
        return f"{moments.day(at, self._zone, self._language)} {moments.clock(at, self._zone)}"


def _values(one: Contents) -> dict[str, str]:
    return _problem(one.problem).values if one.problem else {"service": one.cause.key}  # type: ignore[return-value]


def _problem(stored: Mapping[str, Any]) -> Problem:
    values = {str(name): str(value) for name, value in (stored.get("values") or {}).items()}
    return Problem(str(stored.get("code")), str(stored.get("field") or ""), values)
