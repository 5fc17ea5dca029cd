"""Retry, ignore, ignore no more: first what would happen, then the run. One record needs no preview."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.chosen import Choice, FormId, Id, choice
from services.journal.pages.frame import frame
from services.journal.pages.scope import place, see, spoken
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.records.bulk import FEW, BulkVerb, How, preview, start
from shared.records.bulk_read import RAMP
from shared.records.bulk_steps import STOP_PERCENT
from shared.records.filter import FilterError, parse
from shared.records.ignoring import LONGEST_WHY
from shared.records.left_alone import Left
from shared.records.resources import Resource
from shared.records.selected import TooMany

IGNORABLE = ("failed", "waiting", "pending")
VERBS: tuple[BulkVerb, ...] = ("retry", "ignore", "unignore")


def routes(journal: Journal, pages: Pages, resource: Resource) -> APIRouter:
    """`/orders/retry`, `/orders/ignore`, `/orders/unignore`; the same for the other resources."""
    router = guarded_router(journal)
    for verb in VERBS:
        _add(router, journal, pages, resource, verb)
    return router


def _add(router: APIRouter, journal: Journal, pages: Pages, resource: Resource, verb: BulkVerb) -> None:
    name, flow = resource.name, resource.flow

    @router.get(f"/{name}/{verb}", name=f"get-{name}-{verb}")
    @needs("operator")
    def get_preview(
        request: Request,
        filter: str = "",
        slug: str | None = None,
        id: Annotated[list[Id] | None, Query()] = None,
        excepted: Annotated[list[Id] | None, Query(alias="except")] = None,
        of: str = "",
    ) -> Response:
        """What it would touch, and how it would go."""
        return show(request, choice(id, filter, slug, excepted, of))

    @router.post(f"/{name}/{verb}", name=f"post-{name}-{verb}")
    @needs("operator")
    def post(
        request: Request,
        filter: Annotated[str, Form()] = "",
        slug: Annotated[str, Form()] = "",
        id: Annotated[list[FormId] | None, Form()] = None,
        excepted: Annotated[list[FormId] | None, Form(alias="except")] = None,
        of: Annotated[str, Form()] = "",
        leave: Annotated[list[str] | None, Form()] = None,
        take: Annotated[list[str] | None, Form()] = None,
        flat: Annotated[bool, Form()] = False,
        per_minute: Annotated[str, Form()] = "",
        why: Annotated[str, Form()] = "",
        token: Annotated[UUID | None, Form()] = None,
        back: Annotated[str, Form()] = "list",
    ) -> Response:
        """Do it, and go back to the list or to the record; what came of it is told there."""
        chosen = choice(id, filter, slug, excepted, of)
        said = why.strip()[:LONGEST_WHY].replace("\0", "")
        if chosen.nothing or (verb == "ignore" and len(said) < 3):
            return show(request, chosen, 422, "acts.nothing" if chosen.nothing else "acts.why_missing")
        rate = int(per_minute) if per_minute.strip().isdecimal() and 0 < int(per_minute) <= 1_000_000 else None
        left = (set(leave or ()) & {Left.FINISHED, Left.HOPELESS}) - set(take or ())
        how = How(
            ramp=False if flat else None,
            per_minute=rate,
            leave=sorted(left),
            why=said or None,
            token=token,
        )
        with journal.database() as conn:
            try:
                run = start(conn, flow, verb, actor_of(request).name, **chosen.meant(conn, journal), how=how)
            except (FilterError, TooMany):
                return pages.error(request, speaker(request), 400)
        if back == "record" and len(chosen.ids) == 1:
            return see(request, f"/{name}/{chosen.ids[0]}", run=run["id"])
        return see(request, place(resource, chosen.slug), filter=filter, run=run["id"])

    def show(request: Request, chosen: Choice, status: int = 200, problem: str | None = None) -> Response:
        reader = speaker(request)
        values: dict[str, Any] = {
            "text": chosen.text,
            "chosen": chosen,
            "verb": verb,
            "problem": problem and reader.say(problem),
            "plan": None,
            "terms": (),
            "token": uuid4(),
            "few": FEW,
            "stops": STOP_PERCENT,
        }
        with journal.database() as conn:
            values |= frame(conn, name, chosen.slug)
            try:
                values["terms"] = [term.text for term in parse(chosen.text, journal.zone).terms]
                if chosen.nothing:
                    values["problem"], status = reader.say("acts.nothing"), 422
                else:
                    plan = preview(conn, flow, **chosen.meant(conn, journal), leave=[Left.FINISHED])
                    values["plan"] = plan
                    values |= _numbers(verb, plan)
            except (FilterError, TooMany) as error:
                values["problem"], status = str(error), 400
        values |= {"here": place(resource, chosen.slug), **spoken(resource, reader)}
        return pages.show(request, reader, "retry.html", values, status)


def _numbers(verb: BulkVerb, plan: dict[str, Any]) -> dict[str, Any]:
    """What the page says in numbers. steps: of the ramp, the rest last; empty where there is none."""
    states, matched = plan["counts"]["by_state"], plan["counts"]["matched"]
    if verb == "retry":
        run = plan["counts"]["run"]
    elif verb == "ignore":
        run = sum(states.get(state, 0) for state in IGNORABLE)
    else:
        run = states.get("skipped", 0)
    steps, to_come = [], run
    for size in (*RAMP, run):
        steps.append(min(size, to_come))
        to_come -= steps[-1]
    hopeless = sum(plan["would_fail_again"].values())
    return {
        "run_count": run,
        "not_count": matched - run,
        "steps": steps if verb == "retry" and run > FEW else [],
        "hopeless": hopeless if verb == "retry" else 0,
        "shares": [run - hopeless, hopeless, matched - run] if verb == "retry" else [run, 0, matched - run],
    }
