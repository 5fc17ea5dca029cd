"""Planned maintenance, free days and limits of age, for people: one page, a form for each."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from services.journal.api.bodies import Given
from services.journal.api.maintenance import FreeDays, Limit, end, enter, limit, plan, remove
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import Speaker, speaker
from services.journal.pages.frame import frame
from services.journal.pages.scope import see
from services.journal.problem_json import ApiProblem
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.alarms import levels, planned
from shared.alarms.calendar import federal_holidays
from shared.alarms.planned import Maintenance

MAINTENANCE = "/maintenance"
FIELDS = ("kind", "starts", "ends", "weekday", "at", "until", "note")


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/maintenance` and what its forms do."""
    router = guarded_router(journal, MAINTENANCE)

    @router.get("")
    @needs("viewer")
    def get_maintenance(request: Request) -> Response:
        """What is planned, the free days, the limits."""
        return page(request)

    @router.post("")
    @needs("operator")
    def post_maintenance(request: Request, given: Given) -> Response:
        """Plan a window."""
        try:
            window = Maintenance.model_validate(_window(given))
            with journal.database() as conn, conn.transaction():
                plan(conn, journal, window, actor_of(request).name)
        except (ValidationError, ApiProblem) as error:
            return page(request, _said(error), given)
        return see(request, MAINTENANCE)

    @router.post("/{id}/end")
    @needs("operator")
    def post_end(request: Request, id: int) -> Response:
        """End it now, or forget it."""
        with journal.database() as conn, conn.transaction():
            end(conn, id, actor_of(request).name)
        return see(request, MAINTENANCE)

    @router.post("/days")
    @needs("operator")
    def post_days(request: Request, given: Given) -> Response:
        """Enter free days: one, or the federal holidays of a year."""
        day, year = str(given.get("day") or ""), str(given.get("holidays_of") or "")
        try:
            body = FreeDays.model_validate(
                {
                    "days": [{"day": day, "name": str(given.get("name") or "")}] if day else [],
                    "holidays_of": year or None,
                }
            )
        except ValidationError as error:
            return page(request, _said(error), given)
        days = {one.day: one.name for one in body.days}
        days |= federal_holidays(body.holidays_of) if body.holidays_of else {}
        with journal.database() as conn, conn.transaction():
            enter(conn, days, actor_of(request).name)
        return see(request, MAINTENANCE)

    @router.post("/days/{day}/remove")
    @needs("operator")
    def post_remove_day(request: Request, day: date) -> Response:
        """Work is done on this day after all."""
        with journal.database() as conn, conn.transaction():
            remove(conn, day, actor_of(request).name)
        return see(request, MAINTENANCE)

    @router.post("/limits")
    @needs("operator")
    def post_limits(request: Request, given: Given) -> Response:
        """Change the limits of age."""
        try:
            asked = [
                Limit.model_validate({"flow": flow, "minutes": str(given[flow])})
                for flow in levels.LIMITS
                if given.get(flow)
            ]
        except ValidationError as error:
            return page(request, _said(error), given)
        with journal.database() as conn, conn.transaction():
            known = levels.limits(conn)
            for one in asked:
                if known[one.flow] != one.minutes:
                    limit(conn, one.flow, one.minutes, actor_of(request).name)
        return see(request, MAINTENANCE)

    def page(request: Request, problem: str | None = None, given: FormData | None = None) -> Response:
        reader: Speaker = speaker(request)
        with journal.database() as conn:
            days = planned.free_days(conn)
            row = conn.execute("SELECT (now() AT TIME ZONE %s)::date", (journal.zone.key,)).fetchone()
            assert row is not None
            held = {day for day, _ in days}
            values = frame(conn, "alarms") | {
                "windows": planned.planned(conn),
                "days": days,
                "years": [year for year in (row[0].year, row[0].year + 1) if set(federal_holidays(year)) - held],
                "limits": levels.limits(conn),
                "problem": problem,
                "asked": dict.fromkeys((*FIELDS, *levels.LIMITS), "") | {k: str(v) for k, v in (given or {}).items()},
                "chosen": given.getlist("interfaces") if given else [],
                "clock_zone": journal.zone.key,
            }
        return pages.show(request, reader, "alarm_maintenance.html", values, 400 if problem else 200)

    return router


def _window(given: FormData) -> dict[str, object]:
    kept = {name: str(given.get(name)) for name in ("note",) if given.get(name)}
    weekly = given.get("kind") == "weekly"
    names = ("weekday", "at", "until") if weekly else ("starts", "ends")
    return {
        **kept,
        "interfaces": [str(one) for one in given.getlist("interfaces")],
        **{name: str(given.get(name)) for name in names if given.get(name)},
    }


def _said(error: ValidationError | ApiProblem) -> str:
    if isinstance(error, ApiProblem):
        return error.detail
    first = error.errors(include_url=False, include_input=False)[0]
    return ": ".join([*(str(part) for part in first["loc"][-1:]), first["msg"].removeprefix("Value error, ")])
