"""Rejections: what was refused, raw and explained; tried out, submitted again, set aside."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request

from services.journal.api.bodies import Because, Resubmission, ResubmitAlike
from services.journal.api.events import outcome_of
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.limits import EVENT_BYTES, too_much
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.people.audit import audit
from shared.records import dates
from shared.records.rejections import Rejection, Wanted, list_rejections, read_rejection, reopen, set_aside
from shared.records.wording import explained
from shared.runtime.intake import Intake, Taken
from shared.runtime.resubmission import resubmit_alike, try_out

Language = Literal["de", "en"]
Text = Annotated[str | None, Query(max_length=100)]


def routes(journal: Journal) -> APIRouter:
    """The calls of this resource."""
    router = guarded_router(journal, "/api/v1/rejections")

    @router.get("")
    @needs("viewer")
    def get_rejections(
        state: Literal["open", "resubmitted", "set-aside"] | None = None,
        interface: Text = None,
        queue: Text = None,
        code: Text = None,
        from_: Annotated[str | None, Query(alias="from", max_length=40)] = None,
        to: Annotated[str | None, Query(max_length=40)] = None,
        cursor: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
        language: Language = "en",
    ) -> dict[str, Any]:
        """The newest first. code: of one of its problems; from, to: dates as in filters, `to` with its whole day.
        `next` is the cursor of the page behind."""
        since, until = _moment(journal, from_, last=False), _moment(journal, to, last=True)
        wanted = Wanted(state, interface, queue, code, since, until)
        with journal.database() as conn:
            found = list_rejections(conn, wanted, before=cursor, limit=limit + 1)
        items = [summary(one, language) for one in found[:limit]]
        return {"items": items, "next": items[-1]["id"] if len(found) > limit else None}

    @router.get("/{id}")
    @needs("viewer")
    def get_rejection(request: Request, id: int, language: Language = "en") -> dict[str, Any]:
        """One rejection. Its raw body may hold personal data, so a viewer does not get it (`raw` is null)."""
        return whole(_known(journal, id), actor_of(request).at_least("operator"), language)

    @router.post("/resubmit")
    @needs("operator")
    def resubmit_rejections(request: Request, body: ResubmitAlike) -> dict[str, Any]:
        """Take in again, as they came, all open ones with this problem, at most 500 at once (`more`: there are further
        ones). With dry_run only how many they are."""
        wanted = Wanted(None, body.interface, None, body.code)
        with journal.database() as conn:
            intake, actor = Intake(journal.failpoint), actor_of(request).name
            return resubmit_alike(conn, intake, wanted, actor, dry_run=body.dry_run)

    @router.post("/{id}/resubmit")
    @needs("operator")
    def resubmit_rejection(
        request: Request, id: int, body: Resubmission | None = None, language: Language = "en"
    ) -> dict[str, Any]:
        """Take it in again, as it came or with an edited body. Answers with a result as `POST /events` does; with
        dry_run only with what would be refused: `ok` and `problems`."""
        text = None if body is None else body.body
        if body is not None and body.dry_run:
            problems = check(journal, id, text, language)
            return {"ok": not problems, "problems": problems, "dry_run": True}
        return outcome_of(resubmit(journal, id, text, actor_of(request).name))

    @router.post("/{id}/set-aside")
    @needs("operator")
    def set_rejection_aside(request: Request, id: int, body: Because, language: Language = "en") -> dict[str, Any]:
        """Nobody needs it, because …: it is kept, and can be opened again. The same body again is its duplicate."""
        with journal.database() as conn:
            done = set_aside(conn, _id(id), actor_of(request).name, body.reason)
        return _after(journal, id, done, "open", language)

    @router.post("/{id}/reopen")
    @needs("operator")
    def reopen_rejection(request: Request, id: int, language: Language = "en") -> dict[str, Any]:
        """Open one that was set aside."""
        with journal.database() as conn:
            done = reopen(conn, _id(id), actor_of(request).name)
        return _after(journal, id, done, "set-aside", language)

    return router


def resubmit(journal: Journal, rejection: int, text: str | None, actor: str) -> Taken:
    """Submit again, for the API and the page. Raises ApiProblem: unknown, done before, too large, not writable."""
    raw = _raw(text)
    known = _known(journal, rejection)
    with journal.database() as conn, conn.transaction():
        taken = Intake(journal.failpoint).resubmit(conn, rejection, raw, actor)
        if taken is None:
            raise _closed(read_rejection(conn, rejection) or known)
        target = {"rejection": rejection, "edited": raw is not None, "outcome": str(taken.outcome)}
        audit(conn, actor, "rejections.resubmit", target)
    return taken


def check(journal: Journal, rejection: int, text: str | None, language: Language) -> list[dict[str, Any]]:
    """Every problem that this text would be refused for (None: what came). Raises ApiProblem as `resubmit` does."""
    raw = _raw(text)
    one = _known(journal, rejection)
    if one.state != "open":
        raise _closed(one)
    with journal.database() as conn:
        problems = try_out(conn, one, one.raw if raw is None else raw)
    return explained([problem.as_json() for problem in problems], language)


def _closed(one: Rejection) -> ApiProblem:
    """Why it cannot be submitted."""
    if one.state == "set-aside":
        return ApiProblem(409, "set-aside", "This rejection was set aside: open it again first.")
    return ApiProblem(409, "resubmitted-before", "This rejection was submitted again already.")


def _raw(text: str | None) -> bytes | None:
    try:
        raw = None if text is None else text.encode()
    except UnicodeEncodeError:
        raise ApiProblem(400, "not-utf8", "The text contains half of a surrogate pair.") from None
    if raw is not None and len(raw) > EVENT_BYTES:
        raise too_much(EVENT_BYTES)
    return raw


def _id(rejection: int) -> int:
    """The id; none that the database cannot have."""
    return rejection if 0 < rejection < 2**63 else 0


def _known(journal: Journal, rejection: int) -> Rejection:
    with journal.database() as conn:
        found = read_rejection(conn, _id(rejection))
    if found is None:
        raise ApiProblem(404, "not-found", "There is no such rejection.")
    return found


def _after(journal: Journal, rejection: int, done: bool, wanted: str, language: Language) -> dict[str, Any]:
    one = _known(journal, rejection)
    if not done:
        raise ApiProblem(409, f"not-{wanted}", f"Rejection {rejection} is not {wanted}, it is {one.state}.")
    return summary(one, language)


def _moment(journal: Journal, text: str | None, *, last: bool) -> datetime | None:
    if text is None or not text.strip():
        return None
    try:
        found = dates.read(text.strip(), journal.zone)
    except (ValueError, OverflowError):
        detail = f"“{text}” is not a date: write it as 2026-11-26 or 2026-11-26T08:00."
        raise ApiProblem(422, "date-not-understood", detail) from None
    return found.last_end if last else found.start


def summary(one: Rejection, language: Language) -> dict[str, Any]:
    """A rejection without its raw body."""
    return {
        "id": one.id,
        "queue": one.queue,
        "origin": one.origin,
        "event": one.event,
        "interface": one.interface,
        "source": one.source,
        "event_id": one.event_id,
        "content_type": one.content_type,
        "routing_key": one.routing_key,
        "problems": explained(one.problems, language),
        "state": one.state,
        "received_at": one.received_at,
        "resolved_at": one.resolved_at,
        "resolved_by": one.resolved_by,
        "result": one.result,
        "reason": one.reason,
    }


def whole(one: Rejection, reveal: bool, language: Language) -> dict[str, Any]:
    """With the raw body: as text, what is not UTF-8 replaced, and exactly, as base64."""
    return summary(one, language) | {
        "size": len(one.raw),
        "raw": one.raw.decode("utf-8", "replace") if reveal else None,
        "raw_base64": base64.b64encode(one.raw).decode() if reveal else None,
    }
