"""Alarms: who is told what, by mail. Look back before saving, test mails, the ledger of every decision, incidents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from services.journal.api.bodies import Body
from services.journal.asking import there, understood
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.alarms import links, subscriptions
from shared.alarms.incidents import Severity
from shared.alarms.ledger import ledger, open_incidents
from shared.alarms.lookback import look_back
from shared.alarms.queue import ask_unconfirmed, queue_for
from shared.alarms.wanted import Alarm
from shared.db.connect import Connection
from shared.errors.entry import Language
from shared.people.actor import Actor
from shared.people.audit import audit
from shared.records.filter import parse
from shared.records.interfaces import modes
from shared.records.wording import sentence

Id = Annotated[int, Query(ge=1, lt=2**63)]


class AnswerIncident(Body):
    """later: tell it again in so many hours, instead of not reminding at all."""

    later: bool = False
    hours: Annotated[int, Field(ge=1, le=336)] = links.LATER_HOURS


class TestMail(Body):
    """To whom; without it to every recipient of the alarm."""

    address: str | None = Field(None, max_length=320)


def routes(journal: Journal) -> APIRouter:
    """The calls of alarms and incidents."""
    router = guarded_router(journal, "/api/v1")
    zone = journal.zone.key

    @router.get("/alarms")
    @needs("viewer")
    def list_alarms(request: Request) -> dict[str, Any]:
        """Every alarm, with its recipients and when it last sent something."""
        with journal.database() as conn:
            return {"items": [shown(one, actor_of(request)) for one in subscriptions.listed(conn)]}

    @router.post("/alarms", status_code=201)
    @needs("operator")
    def add_alarm(request: Request, response: Response, body: Alarm) -> dict[str, Any]:
        """Keep an alarm. Recipients that an admin enters count as confirmed; others are asked by mail first."""
        actor = actor_of(request)
        with journal.database() as conn, conn.transaction():
            check(conn, journal, body)
            with refused():
                number = subscriptions.add(conn, body, actor.name, zone, verified=actor.at_least("admin"))
            ask_unconfirmed(conn, number)
            audit(conn, actor.name, "alarms.add", {"alarm": number, "name": body.name})
            found = there(one_of(conn, number), "alarm")
        response.headers["Location"] = f"/api/v1/alarms/{number}"
        return shown(found, actor)

    @router.post("/alarms/backtest")
    @needs("viewer")
    def backtest(body: Alarm, days: Annotated[int, Query(ge=1, le=31)] = 14) -> dict[str, Any]:
        """Which mails these settings would have sent in the last days, and how often there was none, and why."""
        with journal.database() as conn:
            check(conn, journal, body)
            return asdict(look_back(conn, body, zone, days))

    @router.get("/alarms/{id}")
    @needs("viewer")
    def read_alarm(request: Request, id: int) -> dict[str, Any]:
        """One alarm."""
        with journal.database() as conn:
            return shown(there(one_of(conn, id), "alarm"), actor_of(request))

    @router.put("/alarms/{id}")
    @needs("operator")
    def change_alarm(request: Request, id: int, body: Alarm) -> dict[str, Any]:
        """Keep it as it is now; incidents under way go on."""
        actor = actor_of(request)
        with journal.database() as conn, conn.transaction():
            check(conn, journal, body)
            there(one_of(conn, id), "alarm")
            with refused():
                subscriptions.change(conn, id, body, zone, verified=actor.at_least("admin"))
            ask_unconfirmed(conn, id)
            audit(conn, actor.name, "alarms.change", {"alarm": id, "name": body.name})
            return shown(there(one_of(conn, id), "alarm"), actor)

    @router.delete("/alarms/{id}", status_code=204)
    @needs("operator")
    def remove_alarm(request: Request, id: int) -> None:
        """Delete it with its ledger."""
        with journal.database() as conn, conn.transaction():
            found = there(one_of(conn, id), "alarm")
            subscriptions.remove(conn, id)
            audit(conn, actor_of(request).name, "alarms.remove", {"alarm": id, "name": found["name"]})

    @router.post("/alarms/{id}/test", status_code=202)
    @needs("operator")
    def test_alarm(request: Request, id: int, body: TestMail) -> dict[str, Any]:
        """Send a test mail to every confirmed recipient, or to one of them."""
        with journal.database() as conn, conn.transaction():
            found = there(one_of(conn, id), "alarm")
            chosen = [
                who
                for who in found["recipients"]
                if who["verified_at"] and not who["stopped_at"] and body.address in (None, who["address"])
            ]
            if not chosen:
                raise ApiProblem(409, "nobody-confirmed", "No recipient of this alarm has confirmed the address yet.")
            for who in chosen:
                queue_for(conn, who["id"], "test")
            audit(conn, actor_of(request).name, "alarms.test", {"alarm": id, "name": found["name"]})
        return {"queued": len(chosen)}

    @router.post("/alarms/{id}/pause")
    @needs("operator")
    def pause_alarm(request: Request, id: int) -> dict[str, Any]:
        """Mail nothing until it is resumed."""
        return switch(request, id, on=False)

    @router.post("/alarms/{id}/resume")
    @needs("operator")
    def resume_alarm(request: Request, id: int) -> dict[str, Any]:
        """Let it go on; it is told what is open, like a new one."""
        return switch(request, id, on=True)

    @router.get("/alarms/{id}/ledger")
    @needs("operator")
    def read_ledger(
        id: int, at: datetime | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 50, language: Language = "en"
    ) -> dict[str, Any]:
        """Why there was a mail, or none: the decisions up to `at`, newest first; next: what comes by itself."""
        with journal.database() as conn:
            there(one_of(conn, id), "alarm")
            found = ledger(conn, id, before=at, limit=limit)
        return found | {"items": [told(row, language) for row in found["items"]]}

    @router.get("/incidents")
    @needs("viewer")
    def list_incidents(
        request: Request,
        interface: str | None = None,
        days: Annotated[int, Query(ge=0, le=31)] = 0,
        language: Language = "en",
    ) -> dict[str, Any]:
        """Open incidents; with `days` also those of the last days."""
        with journal.database() as conn:
            found = open_incidents(conn, interface, days=days)
        actor = actor_of(request)
        return {"items": [worded(seen_by(one, actor), language) for one in found]}

    @router.post("/incidents/{id}/answer")
    @needs("operator")
    def answer_incident(request: Request, id: int, body: AnswerIncident) -> dict[str, Any]:
        """Acknowledge it (no reminder), or have it told again later."""
        actor = actor_of(request).name
        with journal.database() as conn, conn.transaction():
            there(links.incident(conn, id) if 0 < id < 2**63 else None, "incident")
            until = links.answer(conn, id, actor, later=body.later, hours=body.hours)
            audit(conn, actor, "incidents.snooze" if body.later else "incidents.acknowledge", {"incident": id})
        return {"incident": id, "until": until}

    def switch(request: Request, id: int, *, on: bool) -> dict[str, Any]:
        actor = actor_of(request)
        with journal.database() as conn, conn.transaction():
            switched(conn, there(one_of(conn, id), "alarm"), actor.name, on=on)
            return shown(there(one_of(conn, id), "alarm"), actor)

    return router


def switched(conn: Connection, one: dict[str, Any], actor: str, *, on: bool) -> bool:
    """Pause an alarm or let it go on, and audit that; False where it is so already."""
    done = subscriptions.resume(conn, one["id"], actor) if on else subscriptions.pause(conn, one["id"], actor)
    if done:
        audit(conn, actor, "alarms.resume" if on else "alarms.pause", {"alarm": one["id"], "name": one["name"]})
    return done


def seen_by(one: dict[str, Any], actor: Actor) -> dict[str, Any]:
    """An incident as somebody may see it: a viewer does not see who answered."""
    return one if actor.at_least("operator") else one | {"answered_by": None}


def told(row: dict[str, Any], language: Language) -> dict[str, Any]:
    """A decision with the sentences of its incidents."""
    return row | {"incidents": [worded(one, language) for one in row["incidents"]]}


def one_of(conn: Connection, number: int) -> dict[str, Any] | None:
    """One alarm with its recipients."""
    return next(iter(subscriptions.listed(conn, number)), None) if 0 < number < 2**63 else None


def check(conn: Connection, journal: Journal, alarm: Alarm) -> None:
    """Its interfaces are there and its filter can be read. Raises ApiProblem."""
    known = modes(conn)
    if unknown := [slug for slug in alarm.interfaces if slug not in known]:
        raise ApiProblem(422, "interface-unknown", f"There is no interface “{unknown[0]}”.")
    with understood():
        parse(alarm.filter, journal.zone, known)


def shown(one: dict[str, Any], actor: Actor) -> dict[str, Any]:
    """An alarm for the API; a viewer sees how many recipients there are, and not who they are."""
    people = [
        {
            "address": who["address"] if actor.at_least("operator") else "…@" + who["address"].rpartition("@")[2],
            "language": who["language"],
            "confirmed": who["verified_at"] is not None,
            "left": who["stopped_at"] is not None,
        }
        for who in one["recipients"]
    ]
    return one | {"recipients": people, "on": sorted(one["on"], key=list(Severity).index)}


def worded(one: dict[str, Any], language: Language) -> dict[str, Any]:
    """An incident with its sentence in place of the stored problem."""
    problem = one["problem"] or {"code": one["code"], "values": {"service": one["key"]}}
    rest = {name: value for name, value in one.items() if name != "problem"}
    return rest | {"sentence": sentence([problem], language)}


@contextmanager
def refused() -> Iterator[None]:
    """409 for a name that is taken."""
    try:
        yield
    except subscriptions.NameTaken as error:
        raise ApiProblem(409, "name-taken", str(error)) from None
