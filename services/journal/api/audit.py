"""The audit: who did what to what, and why. For operators: its filters may name buyers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from services.journal.guard import guarded_router, needs
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.people.audit import Wanted, read_audit
from shared.people.audit_words import SENTENCES, sentence
from shared.records import dates

Text = Annotated[str, Query(max_length=200)]


def routes(journal: Journal) -> APIRouter:
    """The call of this resource."""
    router = guarded_router(journal, "/api/v1")

    @router.get("/audit")
    @needs("operator")
    def get_audit(
        actor: Text = "",
        verb: Annotated[list[str] | None, Query(max_length=20)] = None,
        about: Text = "",
        from_: Annotated[str, Query(alias="from", max_length=40)] = "",
        to: Annotated[str, Query(max_length=40)] = "",
        cursor: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
        language: Literal["de", "en"] = "en",
    ) -> dict[str, Any]:
        """The newest lines first, each with its sentence. actor: a part of a name; verb: any of these; about: a text in
        what it was done to or why; from, to: dates as in filters, `to` with its whole day."""
        unknown = [one for one in verb or () if one not in SENTENCES]
        if unknown:
            raise ApiProblem(
                422, "verb-unknown", f"There is no verb “{unknown[0][:40]}”: there are {', '.join(SENTENCES)}."
            )
        since, until = _moment(journal, from_, last=False), _moment(journal, to, last=True)
        with journal.database() as conn:
            found = read_audit(conn, Wanted(actor, verb or (), about, since, until), before=cursor, limit=limit + 1)
        items = [one | {"sentence": sentence(one["verb"], language)} for one in found[:limit]]
        return {"items": items, "next": items[-1]["id"] if len(found) > limit else None}

    return router


def _moment(journal: Journal, text: str, *, last: bool) -> datetime | None:
    if not text.strip():
        return None
    try:
        found = dates.read(text.strip(), journal.zone)
    except (ValueError, OverflowError):
        detail = f"“{text}” is not a date: write it as 2026-11-26 or 2026-11-26T08:00."
        raise ApiProblem(422, "date-not-understood", detail) from None
    return found.last_end if last else found.start
