"""Rejections: what was refused, raw and explained; submitted again, edited or not."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request

from services.journal.api.bodies import Resubmission
from services.journal.api.events import outcome_of
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.limits import EVENT_BYTES, too_much
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.people.audit import audit
from shared.records.rejections import Rejection, list_rejections, read_rejection
from shared.records.wording import explained
from shared.runtime.intake import Intake, Taken


def routes(journal: Journal) -> APIRouter:
    """The calls of this resource."""
    router = guarded_router(journal, "/api/v1/rejections")

    @router.get("")
    @needs("viewer")
    def get_rejections(
        state: Literal["open", "resubmitted"] | None = None,
        cursor: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
        language: Literal["de", "en"] = "en",
    ) -> dict[str, Any]:
        """The newest first. `next` is the cursor of the page behind."""
        with journal.database() as conn:
            found = list_rejections(conn, state=state, before=cursor, limit=limit + 1)
        items = [summary(one, language) for one in found[:limit]]
        return {"items": items, "next": items[-1]["id"] if len(found) > limit else None}

    @router.get("/{id}")
    @needs("viewer")
    def get_rejection(request: Request, id: int, language: Literal["de", "en"] = "en") -> dict[str, Any]:
        """One rejection. Its raw body may hold personal data, so a viewer does not get it (`raw` is null)."""
        with journal.database() as conn:
            found = read_rejection(conn, id) if 0 < id < 2**63 else None
        if found is None:
            raise ApiProblem(404, "not-found", "There is no such rejection.")
        return whole(found, actor_of(request).at_least("operator"), language)

    @router.post("/{id}/resubmit")
    @needs("operator")
    def resubmit_rejection(request: Request, id: int, body: Resubmission | None = None) -> dict[str, Any]:
        """Take it in again, as it came or with an edited body. Answers with a result as `POST /events` does."""
        text = None if body is None else body.body
        return outcome_of(resubmit(journal, id, text, actor_of(request).name))

    return router


def resubmit(journal: Journal, rejection: int, text: str | None, actor: str) -> Taken:
    """Submit again, for the API and the page. Raises ApiProblem: unknown, done before, too large, not writable."""
    try:
        raw = None if text is None else text.encode()
    except UnicodeEncodeError:
        raise ApiProblem(400, "not-utf8", "The text contains half of a surrogate pair.") from None
    if raw is not None and len(raw) > EVENT_BYTES:
        raise too_much(EVENT_BYTES)
    with journal.database() as conn:
        possible = 0 < rejection < 2**63
        taken = Intake(journal.failpoint).resubmit(conn, rejection, raw, actor) if possible else None
        if taken is None:
            if possible and read_rejection(conn, rejection) is not None:
                raise ApiProblem(409, "resubmitted-before", "This rejection was submitted again already.")
            raise ApiProblem(404, "not-found", "There is no such rejection.")
        target = {"rejection": rejection, "edited": raw is not None, "outcome": str(taken.outcome)}
        audit(conn, actor, "rejections.resubmit", target)
    return taken


def summary(one: Rejection, language: Literal["de", "en"]) -> dict[str, Any]:
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
    }


def whole(one: Rejection, reveal: bool, language: Literal["de", "en"]) -> dict[str, Any]:
    """With the raw body: as text, what is not UTF-8 replaced, and exactly, as base64."""
    return summary(one, language) | {
        "size": len(one.raw),
        "raw": one.raw.decode("utf-8", "replace") if reveal else None,
        "raw_base64": base64.b64encode(one.raw).decode() if reveal else None,
    }
