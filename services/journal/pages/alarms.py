"""Alarms for people: the list, a form whose look back shows what would have been mailed, and the ledger of one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.journal.api.alarms import check, one_of, refused, seen_by, shown, switched, told, worded
from services.journal.api.bodies import Given
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import Speaker, speaker
from services.journal.pages.frame import frame
from services.journal.pages.scope import see
from services.journal.problem_json import ApiProblem
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.alarms import links, subscriptions
from shared.alarms.ledger import ledger, open_incidents
from shared.alarms.lookback import DAYS, look_back
from shared.alarms.queue import ask_unconfirmed, queue_for
from shared.alarms.wanted import Alarm
from shared.db.connect import Connection
from shared.people.audit import audit

EMPTY: dict[str, Any] = {
    "name": "", "interfaces": [], "flows": [], "on": ["error"], "frequency": "immediately", "at": "07:00",
    "weekday": 0, "filter": "", "recipients": "", "language": "", "quiet_from": "", "quiet_to": "", "weekends": False,
    "calendar": False,    "breaks_for_due": True, "free_days": "",
}  # fmt: skip


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/alarms` and `/alarms/{id}`; the links of mails have a room of their own."""
    router = guarded_router(journal)
    zone = journal.zone.key

    @router.get("/alarms")
    @needs("viewer")
    def get_alarms(request: Request) -> Response:
        """All alarms, and what is open."""
        reader = speaker(request)
        with journal.database() as conn:
            values = frame(conn, "alarms") | {
                "alarms": [shown(one, actor_of(request)) for one in subscriptions.listed(conn)],
                "incidents": [worded(seen_by(one, actor_of(request)), reader.language) for one in open_incidents(conn)],
            }
        return pages.show(request, reader, "alarms.html", values)

    @router.get("/alarms/new")
    @needs("operator")
    def get_new(request: Request) -> Response:
        """An empty form; the address may name interfaces."""
        asked = EMPTY | {"interfaces": request.query_params.getlist("interface")}
        return form(request, asked | {"language": speaker(request).language}, None, None)

    @router.get("/alarms/{id}/edit")
    @needs("operator")
    def get_edit(request: Request, id: int) -> Response:
        """The form of one alarm."""
        with journal.database() as conn:
            found = one_of(conn, id)
        if found is None:
            return pages.error(request, speaker(request), 404)
        return form(request, as_form(found), None, id)

    @router.post("/alarms/new")
    @needs("operator")
    def post_new(request: Request, given: Given) -> Response:
        """Keep it, or only look back (`do=look`)."""
        return keep(request, given, None)

    @router.post("/alarms/{id}/edit")
    @needs("operator")
    def post_edit(request: Request, id: int, given: Given) -> Response:
        """Keep the changes, or only look back."""
        return keep(request, given, id)

    @router.get("/alarms/{id}")
    @needs("operator")
    def get_alarm(request: Request, id: int, at: str = "") -> Response:
        """One alarm, and why there was a mail or none up to a moment."""
        reader = speaker(request)
        with journal.database() as conn:
            found = one_of(conn, id)
            if found is None:
                return pages.error(request, reader, 404)
            asked = moment(at, reader)
            said = ledger(conn, id, before=asked)
            values = frame(conn, "alarms") | {
                "one": shown(found, actor_of(request)),
                "at": at,
                "asked": asked,
                "next": said["next"],
                "ledger": [told(row, reader.language) for row in said["items"]],
            }
        return pages.show(request, reader, "alarm.html", values)

    @router.post("/alarms/{id}/test")
    @needs("operator")
    def post_test(request: Request, id: int) -> Response:
        """A test mail to every confirmed recipient."""
        with journal.database() as conn, conn.transaction():
            found = one_of(conn, id)
            if found is None:
                return pages.error(request, speaker(request), 404)
            for who in found["recipients"]:
                if who["verified_at"] and not who["stopped_at"]:
                    queue_for(conn, who["id"], "test")
            audit(conn, actor_of(request).name, "alarms.test", {"alarm": id, "name": found["name"]})
        return see(request, f"/alarms/{id}", said="test")

    @router.post("/alarms/{id}/remove")
    @needs("operator")
    def post_remove(request: Request, id: int) -> Response:
        """Delete it with its ledger."""
        with journal.database() as conn, conn.transaction():
            found = one_of(conn, id)
            if found is None:
                return pages.error(request, speaker(request), 404)
            subscriptions.remove(conn, id)
            audit(conn, actor_of(request).name, "alarms.remove", {"alarm": id, "name": found["name"]})
        return see(request, "/alarms")

    @router.post("/alarms/{id}/pause")
    @needs("operator")
    def post_pause(request: Request, id: int) -> Response:
        """Mail nothing until it is resumed."""
        return switch(request, id, on=False)

    @router.post("/alarms/{id}/resume")
    @needs("operator")
    def post_resume(request: Request, id: int) -> Response:
        """Let it go on."""
        return switch(request, id, on=True)

    @router.post("/incidents/{id}/answer")
    @needs("operator")
    def post_answer(request: Request, id: int, given: Given) -> Response:
        """Acknowledge an open incident, or have it told again in some hours (`hours`)."""
        hours = str(given.get("hours") or "")
        later = hours.isascii() and hours.isdigit() and 0 < len(hours) <= 3 and 1 <= int(hours) <= 336
        actor = actor_of(request).name
        with journal.database() as conn, conn.transaction():
            if not 0 < id < 2**63 or links.incident(conn, id) is None:
                return pages.error(request, speaker(request), 404)
            links.answer(conn, id, actor, later=later, hours=int(hours) if later else links.LATER_HOURS)
            audit(conn, actor, "incidents.snooze" if later else "incidents.acknowledge", {"incident": id})
        return see(request, "/alarms")

    def switch(request: Request, id: int, *, on: bool) -> Response:
        with journal.database() as conn, conn.transaction():
            found = one_of(conn, id)
            if found is None:
                return pages.error(request, speaker(request), 404)
            switched(conn, found, actor_of(request).name, on=on)
        return see(request, f"/alarms/{id}")

    def keep(request: Request, given: FormData, id: int | None) -> Response:
        asked, actor = from_form(given), actor_of(request)
        try:
            alarm = Alarm.model_validate(body_of(asked))
            with journal.database() as conn, conn.transaction():
                check(conn, journal, alarm)
                if given.get("do") == "look":
                    return form(request, asked, None, id, alarm)
                number = store(conn, alarm, id, actor.name, verified=actor.at_least("admin"))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            return form(request, asked, f"{first['loc'][0] if first['loc'] else ''}: {first['msg']}", id)
        except ApiProblem as error:
            return form(request, asked, error.detail, id)
        return RedirectResponse(f"/alarms/{number}", 303)

    def store(conn: Connection, alarm: Alarm, id: int | None, actor: str, *, verified: bool) -> int:
        with refused():
            if id is None:
                number = subscriptions.add(conn, alarm, actor, zone, verified=verified)
            elif subscriptions.change(conn, id, alarm, zone, verified=verified):
                number = id
            else:
                raise ApiProblem(404, "not-found", "There is no such alarm.")
        ask_unconfirmed(conn, number)
        audit(conn, actor, "alarms.change" if id else "alarms.add", {"alarm": number, "name": alarm.name})
        return number

    def form(
        request: Request, asked: Mapping[str, Any], problem: str | None, id: int | None, alarm: Alarm | None = None
    ) -> Response:
        reader = speaker(request)
        with journal.database() as conn:
            back = look_back(conn, alarm, zone) if alarm else None
            values = frame(conn, "alarms") | {"asked": asked, "problem": problem, "id": id, "days": DAYS, "back": back}
            if back:
                values["mails"] = [
                    one | {"about": [worded(each, reader.language) for each in one["about"]]} for one in back.mails
                ]
        return pages.show(request, reader, "alarm_form.html", values, 400 if problem else 200)

    def moment(text: str, reader: Speaker) -> datetime | None:
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            return None
        return found if found.tzinfo else found.replace(tzinfo=reader.zone or journal.zone)

    return router


def from_form(given: FormData) -> dict[str, Any]:
    """What the form says, as the form shows it again."""
    asked: dict[str, Any] = {name: str(given.get(name) or "") for name in EMPTY}
    return asked | {
        "interfaces": [str(one) for one in given.getlist("interfaces")],
        "flows": [str(one) for one in given.getlist("flows")],
        "on": [str(one) for one in given.getlist("on")],
        "weekends": "weekends" in given,
        "calendar": "calendar" in given,
        "breaks_for_due": "breaks_for_due" in given,
    }


def as_form(one: Mapping[str, Any]) -> dict[str, Any]:
    """A kept alarm, as the form shows it."""
    hours = one["hours"]
    return EMPTY | {
        **{
            name: one[name]
            for name in ("name", "interfaces", "flows", "on", "frequency", "weekday", "filter", "language")
        },
        "at": one["at"].strftime("%H:%M"),
        "recipients": "\n".join(subscriptions.recipient(who) for who in one["recipients"]),
        "quiet_from": (hours.get("quiet_from") or "")[:5],
        "quiet_to": (hours.get("quiet_to") or "")[:5],
        "weekends": hours.get("weekends", False),
        "calendar": hours.get("calendar", False),
        "breaks_for_due": hours.get("breaks_for_due", True),
        "free_days": " ".join(hours.get("free_days") or ()),
    }


def body_of(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The same as `POST /api/v1/alarms` takes it."""
    return {
        **{name: asked[name] for name in ("name", "interfaces", "flows", "on", "frequency", "filter")},
        "at": asked["at"] or time(7),
        "weekday": asked["weekday"] or 0,
        "language": asked["language"] or "en",
        "recipients": asked["recipients"].replace(",", " ").replace(";", " ").split(),
        "hours": {
            "quiet_from": asked["quiet_from"] or None,
            "quiet_to": asked["quiet_to"] or None,
            "weekends": asked["weekends"],
            "calendar": asked["calendar"],
            "breaks_for_due": asked["breaks_for_due"],
            "free_days": asked["free_days"].replace(",", " ").split(),
        },
    }
