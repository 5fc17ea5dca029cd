"""Planned maintenance, the business calendar, limits of age: what keeps an alarm quiet, and what makes it speak."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request

from services.journal.api.bodies import Body
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.alarms import levels, planned
from shared.alarms.calendar import federal_holidays
from shared.alarms.planned import Maintenance
from shared.db.connect import Connection
from shared.people.audit import audit
from shared.records.interfaces import modes


class FreeDay(Body):
    """A day on which nobody works."""

    day: date
    name: str = Field("", max_length=100)


class FreeDays(Body):
    """Days one by one, or the federal holidays of a year in Germany, or both."""

    days: list[FreeDay] = Field([], max_length=400)
    holidays_of: int | None = Field(None, ge=2000, le=2200)


class Limit(Body):
    """Minutes that the oldest unfinished record of a flow may stand."""

    flow: Literal["order-import", "order-export", "stock"]
    minutes: Annotated[int, Field(ge=5, le=43_200)]


def routes(journal: Journal) -> APIRouter:
    """The calls of maintenance, calendar and limits."""
    router = guarded_router(journal, "/api/v1")

    @router.get("/maintenance")
    @needs("viewer")
    def list_maintenance() -> dict[str, Any]:
        """Windows that are on, to come or weekly, and those that ended lately."""
        with journal.database() as conn:
            return {"items": planned.planned(conn)}

    @router.post("/maintenance", status_code=201)
    @needs("operator")
    def plan_maintenance(request: Request, body: Maintenance) -> dict[str, Any]:
        """Plan a window: nothing is mailed while it lasts; what still stands afterwards is mailed then."""
        with journal.database() as conn, conn.transaction():
            return {"id": plan(conn, journal, body, actor_of(request).name)}

    @router.delete("/maintenance/{id}", status_code=204)
    @needs("operator")
    def end_maintenance(request: Request, id: int) -> None:
        """End it now; one that has not begun, or a weekly one, is forgotten."""
        with journal.database() as conn, conn.transaction():
            if not end(conn, id, actor_of(request).name):
                raise ApiProblem(404, "not-found", "There is no such maintenance window, or it is over.")

    @router.get("/calendar")
    @needs("viewer")
    def read_calendar() -> dict[str, Any]:
        """The free days of the business calendar."""
        with journal.database() as conn:
            return {"items": [{"day": day, "name": name} for day, name in planned.free_days(conn)]}

    @router.post("/calendar")
    @needs("operator")
    def add_to_calendar(request: Request, body: FreeDays) -> dict[str, Any]:
        """Enter free days."""
        days = {one.day: one.name for one in body.days}
        days |= federal_holidays(body.holidays_of) if body.holidays_of else {}
        with journal.database() as conn, conn.transaction():
            return {"added": enter(conn, days, actor_of(request).name)}

    @router.delete("/calendar/{day}", status_code=204)
    @needs("operator")
    def remove_from_calendar(request: Request, day: date) -> None:
        """Work is done on this day after all."""
        with journal.database() as conn, conn.transaction():
            if not remove(conn, day, actor_of(request).name):
                raise ApiProblem(404, "not-found", f"{day} is not a free day.")

    @router.get("/age-limits")
    @needs("viewer")
    def read_limits() -> dict[str, Any]:
        """Minutes that the oldest unfinished record may stand, by flow."""
        with journal.database() as conn:
            return {"items": [{"flow": flow, "minutes": minutes} for flow, minutes in levels.limits(conn).items()]}

    @router.put("/age-limits")
    @needs("operator")
    def change_limit(request: Request, body: Limit) -> dict[str, Any]:
        """Change the limit of one flow."""
        with journal.database() as conn, conn.transaction():
            limit(conn, body.flow, body.minutes, actor_of(request).name)
        return body.model_dump()

    return router


def plan(conn: Connection, journal: Journal, window: Maintenance, actor: str) -> int:
    """Keep a window; dates without a zone are those of the installation. Raises ApiProblem."""
    known = modes(conn)
    if unknown := [slug for slug in window.interfaces if slug not in known]:
        raise ApiProblem(422, "interface-unknown", f"There is no interface “{unknown[0]}”.")
    zoned = {
        name: at if at is None or at.tzinfo else at.replace(tzinfo=journal.zone)
        for name, at in (("starts", window.starts), ("ends", window.ends))
    }
    number = planned.plan(conn, window.model_copy(update=zoned), actor)
    audit(conn, actor, "maintenance.plan", {"window": number, "interfaces": list(window.interfaces)})
    return number


def end(conn: Connection, number: int, actor: str) -> bool:
    """End or forget a window; False where there is none."""
    ended = 0 < number < 2**63 and planned.end(conn, number)
    if ended:
        audit(conn, actor, "maintenance.end", {"window": number})
    return ended


def enter(conn: Connection, days: dict[date, str], actor: str) -> int:
    """Enter free days; returns how many are new."""
    added = planned.add_free_days(conn, days)
    audit(conn, actor, "calendar.add", {"days": sorted(str(day) for day in days)[:100], "added": added})
    return added


def remove(conn: Connection, day: date, actor: str) -> bool:
    """Take a free day out; False where it was none."""
    removed = bool(planned.remove_free_days(conn, [day]))
    if removed:
        audit(conn, actor, "calendar.remove", {"days": [str(day)]})
    return removed


def limit(conn: Connection, flow: str, minutes: int, actor: str) -> None:
    """Change a limit of age."""
    levels.set_limit(conn, flow, minutes)
    audit(conn, actor, "limits.change", {"flow": flow, "minutes": minutes})
