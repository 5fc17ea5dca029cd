"""`POST /events`: takes events in without the broker. `GET /events`: what became of one."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query
from starlette.requests import Request

from services.journal.api.bodies import raw_body
from services.journal.batch import cut
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.limits import BATCH_EVENTS, BATCH_TYPE, EVENT_BYTES, too_much
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.errors.catalogue import explain
from shared.metrics import Metrics
from shared.people.actor import Actor
from shared.records.change import Outcome
from shared.records.fate import fate
from shared.runtime.intake import Intake, Taken
from shared.runtime.prepare import Arrival

SINGLE_TYPES = ("application/cloudevents+json", "application/json")
UNREADABLE = frozenset({"not-json", "not-utf8", "too-deep"})
DESCRIPTION = f"""One CloudEvent (`application/cloudevents+json` or `application/json`), or up to {BATCH_EVENTS}
in an array (`{BATCH_TYPE}`), each of at most {EVENT_BYTES} bytes. Answers 202 with one result per event, in order:
`accepted`, `duplicate` or `rejected`; a rejected event is kept and does not touch its neighbours.
A body that cannot be read at all is answered with 400 and kept as a rejection too.
A publisher's token that posts for an interface which is not its own gets 403 for the whole call, of which
nothing is taken in."""
BODY = {
    "required": True,
    "content": {kind: {"schema": {"type": "object"}} for kind in SINGLE_TYPES}
    | {BATCH_TYPE: {"schema": {"type": "array", "items": {"type": "object"}, "maxItems": BATCH_EVENTS}}},
}


def routes(journal: Journal) -> APIRouter:
    """The calls of this resource."""
    router = guarded_router(journal, "/api/v1/events")

    @router.post("", status_code=202, description=DESCRIPTION, openapi_extra={"requestBody": BODY})
    @needs("publisher")
    def post_events(request: Request, body: Annotated[bytes, Depends(raw_body)]) -> dict[str, Any]:
        """Take events in."""
        kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        parts = _parts(kind, body)
        actor = actor_of(request)
        _check_interfaces(actor, [body] if parts is None else parts)
        arrivals = [
            Arrival(part, "http", f"POST /events by {actor.name}", content_type=kind)
            for part in ([body] if parts is None else parts)
        ]
        with journal.database() as conn:
            taken = Intake(journal.failpoint).take_in(conn, arrivals)
        count(journal.metrics, taken)
        results = [outcome_of(one) for one in taken]
        if (parts is None or kind != BATCH_TYPE) and _unreadable(taken[0]):
            raise _cannot_read(results[0])
        return {"results": results}

    @router.get("")
    @needs("viewer")
    def get_event(
        source: Annotated[str, Query(max_length=300)], id: Annotated[str, Query(max_length=300)]
    ) -> dict[str, Any]:
        """The fate of one event, by its source and id."""
        with journal.database() as conn:
            found: dict[str, Any] | None = fate(conn, source, id)
        if found is None:
            raise ApiProblem(404, "event-unknown", "No event with this source and id has come in.")
        return found

    return router


def _parts(kind: str, body: bytes) -> list[bytes] | None:
    """The events of a request; None where it claims to be a batch and is no array with an end."""
    if kind in SINGLE_TYPES:
        return [body]
    if kind != BATCH_TYPE:
        raise ApiProblem(
            415, "media-type", f"Send {SINGLE_TYPES[0]} for one event or {BATCH_TYPE} for many as Content-Type."
        )
    parts = cut(body)
    if parts is None:
        if len(body) > EVENT_BYTES:  # too large to be kept as one rejection
            raise too_much(EVENT_BYTES)
        return None
    if len(parts) > BATCH_EVENTS:
        raise ApiProblem(413, "too-many", f"{len(parts)} events in one batch, {BATCH_EVENTS} are allowed.")
    large = [number for number, part in enumerate(parts) if len(part) > EVENT_BYTES]
    if large:
        raise ApiProblem(
            413, "too-large", f"Events may have {EVENT_BYTES} bytes; nothing was taken in.", {"indexes": large}
        )
    return parts


def _check_interfaces(actor: Actor, parts: list[bytes]) -> None:
    """Refuse the whole call when one event is for an interface that is not the publisher's."""
    if actor.interfaces is None:
        return
    for part in parts:
        try:
            event = orjson.loads(part)
            interface = event["data"].get("interface")
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # it can only become a rejection
        if interface is None and event.get("type") != "stock-changed.v1":
            continue  # so can this: only a change of stock may leave it to the listing
        if not isinstance(interface, str) or not actor.may_post_for(interface):
            raise ApiProblem(
                403, "not-your-interface", "This token may not post events of that interface. Nothing was taken in."
            )


def _unreadable(taken: Taken) -> bool:
    return taken.rejection_id is not None and any(problem.code in UNREADABLE for problem in taken.problems)


def count(metrics: Metrics, taken: list[Taken]) -> None:
    """Tell the metrics what came in through this process."""
    for one in taken:
        metrics.consumed.labels(one.event, str(one.outcome)).inc()
        if one.outcome is Outcome.REJECTED:
            metrics.rejections.labels("http").inc()
        if one.age is not None:
            metrics.event_age.labels(one.event).observe(max(0.0, one.age))


def outcome_of(taken: Taken) -> dict[str, Any]:
    """What became of one event, in the words of the contract."""
    known = {Outcome.REJECTED: "rejected", Outcome.DUPLICATE: "duplicate"}
    result: dict[str, Any] = {
        "outcome": known.get(taken.outcome, "accepted"),
        "id": taken.event_id,
        "source": taken.source,
        "record": taken.record_id,
        "rejection": taken.rejection_id,
        "problems": [problem.as_json() | {"message": explain(problem, "en").title} for problem in taken.problems],
    }
    if taken.outcome in (Outcome.SUPERSEDED, Outcome.NO_TARGET):
        result["remark"] = str(taken.outcome)
    return result


def _cannot_read(result: dict[str, Any]) -> ApiProblem:
    problems = result["problems"]
    detail = problems[0]["message"] if problems else "The body is not a JSON event."
    more = {"rejection": result["rejection"], "problems": problems}
    return ApiProblem(
        400, problems[0]["code"] if problems else "not-json", f"{detail} It is kept as a rejection.", more
    )
