"""Rejections for people: the list, and one with its raw text and every problem, to mend, submit again or set aside."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import Response

from services.journal.api.rejections import check, resubmit, summary, whole
from services.journal.bodies_shown import shown, to_edit
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.limits import EVENT_BYTES
from services.journal.pages.frame import frame
from services.journal.pages.scope import see
from services.journal.problem_json import ApiProblem
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.errors.catalogue import catalogue, explain
from shared.errors.problem import Problem
from shared.records import dates
from shared.records.rejections import (
    STATES,
    Wanted,
    became,
    count_by,
    list_rejections,
    read_rejection,
    reopen,
    set_aside,
)
from shared.records.resources import OF_FLOW
from shared.runtime.intake import Intake
from shared.runtime.resubmission import MOST, resubmit_alike, try_out

PAGE = 50
EDITED_MOST = 100_000
"""Characters that are worked on in a browser; what is longer is mended as a file."""


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/rejections`, `/rejections/{id}`, and what their buttons do."""
    router = guarded_router(journal)

    @router.get("/rejections")
    @needs("viewer")
    def get_rejections(
        request: Request,
        cursor: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
        state: str = "open",
        interface: str = "",
        queue: str = "",
        code: str = "",
        since: str = "",
        until: str = "",
    ) -> Response:
        """The newest first."""
        reader = speaker(request)
        asked = {"state": state, "interface": interface, "queue": queue, "code": code, "since": since, "until": until}
        begin, end = _moment(journal, since, last=False), _moment(journal, until, last=True)
        wrong = next((text for text, read in ((since, begin), (until, end)) if text.strip() and read is None), "")
        others = Wanted(None, interface or None, queue or None, code or None, begin, end)
        wanted = replace(others, state=state if state in STATES else None)
        with journal.database() as conn:
            found = [] if wrong else list_rejections(conn, wanted, before=cursor, limit=PAGE + 1)
            values = frame(conn, "rejections") | {
                "items": [summary(one, reader.language) for one in found[:PAGE]],
                "next": found[PAGE - 1].id if len(found) > PAGE else None,
                "counts": count_by(conn, "state", others),
                "queues": sorted(count_by(conn, "queue", Wanted())),
                "codes": [
                    (name, _title(name, reader.language), count)
                    for name, count in count_by(conn, "code", replace(others, state="open", code=None)).items()
                ],
            }
        values |= {"asked": asked, "state": state, "wrong": wrong[:40], "paged": cursor is not None}
        values["problem_title"] = _title(code, reader.language) if code else ""
        return pages.show(request, reader, "rejections.html", values, 400 if wrong else 200)

    @router.get("/rejections/resubmit")
    @needs("operator")
    def get_resubmit_alike(request: Request, code: str = "", interface: str = "") -> Response:
        """What submitting all of one problem would touch."""
        return alike(request, code, interface, dry_run=True)

    @router.post("/rejections/resubmit")
    @needs("operator")
    def post_resubmit_alike(
        request: Request, code: Annotated[str, Form()] = "", interface: Annotated[str, Form()] = ""
    ) -> Response:
        """Submit all of one problem again, and say what came of it."""
        return alike(request, code, interface, dry_run=False)

    def alike(request: Request, code: str, interface: str, *, dry_run: bool) -> Response:
        reader = speaker(request)
        if code not in catalogue():
            return pages.error(request, reader, 404)
        wanted = Wanted(None, interface or None, None, code)
        with journal.database() as conn:
            done = resubmit_alike(conn, Intake(journal.failpoint), wanted, actor_of(request).name, dry_run=dry_run)
            values = frame(conn, "rejections")
        values |= {"done": done, "code": code, "interface": interface, "most": MOST}
        values["problem_title"] = _title(code, reader.language)
        return pages.show(request, reader, "rejections_alike.html", values)

    @router.get("/rejections/{id}")
    @needs("viewer")
    def get_rejection(request: Request, id: int) -> Response:
        """One rejection."""
        return show(request, id)

    def show(request: Request, id: int, status: int = 200, **given: Any) -> Response:
        reader = speaker(request)
        reveal = actor_of(request).at_least("operator")
        with journal.database() as conn:
            found = read_rejection(conn, id) if 0 < id < 2**63 else None
            if found is None:
                return pages.error(request, reader, 404)
            record = became(conn, found)
            still = bool(reveal and found.state == "open" and try_out(conn, found, found.raw))
            values = frame(conn, "rejections")
        one = whole(found, reveal, reader.language)
        values |= {
            "one": one,
            "body": shown(found.raw) if reveal else None,
            "record": record and record | {"list": OF_FLOW[record["flow"]].name},
            "editable": reveal and found.state == "open" and len(found.raw) <= EDITED_MOST and _is_text(found.raw),
            "most": EVENT_BYTES,
            "still": still,
            "begin": to_edit(found.raw) if reveal else "",
            "draft": None,
            "verdict": None,
            "because": "",
            "wrong": None,
            **given,
        }
        return pages.show(request, reader, "rejection.html", values, status)

    @router.get("/rejections/{id}/raw")
    @needs("operator")
    def get_raw(request: Request, id: int) -> Response:
        """The very bytes, to keep as a file; a browser never shows them as a page."""
        with journal.database() as conn:
            found = read_rejection(conn, id) if 0 < id < 2**63 else None
        if found is None:
            return pages.error(request, speaker(request), 404)
        named = {"Content-Disposition": f'attachment; filename="rejection-{id}.json"'}
        return Response(found.raw, media_type="application/octet-stream", headers=named)

    @router.post("/rejections/{id}/check")
    @needs("operator")
    def post_check(request: Request, id: int, body: Annotated[str, Form()] = "") -> Response:
        """Say what would be refused about an edited body; changes nothing."""
        try:
            verdict = check(journal, id, _written(body), speaker(request).language)
        except ApiProblem as error:
            return pages.error(request, speaker(request), error.status)
        return show(request, id, draft=_written(body), verdict=verdict)

    @router.post("/rejections/{id}/resubmit")
    @needs("operator")
    def post_resubmit(
        request: Request, id: int, body: Annotated[str | None, Form()] = None, edited: Annotated[str, Form()] = ""
    ) -> Response:
        """Submit again. Without `edited` the bytes go in as they came, whatever the text field shows.

        What would be refused is shown with its problems and not submitted: the original stays as it is.
        """
        text = _written(body or "") if edited else None
        try:
            verdict = check(journal, id, text, speaker(request).language)
            if verdict:
                return show(request, id, 422, draft=text, verdict=verdict)
            taken = resubmit(journal, id, text, actor_of(request).name)
        except ApiProblem as error:
            return pages.error(request, speaker(request), error.status)
        if taken.record_id is not None and taken.flow in OF_FLOW:
            return see(request, f"/{OF_FLOW[taken.flow].name}/{taken.record_id}")
        return see(request, f"/rejections/{id}")

    @router.post("/rejections/{id}/set-aside")
    @needs("operator")
    def post_set_aside(request: Request, id: int, reason: Annotated[str, Form()] = "") -> Response:
        """Nobody needs it, because …"""
        because = reason.strip()[:500]
        if len(because) < 3:
            return show(request, id, 422, because=because, wrong="rejection.no_reason")
        with journal.database() as conn:
            set_aside(conn, id if 0 < id < 2**63 else 0, actor_of(request).name, because)
        return see(request, f"/rejections/{id}")

    @router.post("/rejections/{id}/reopen")
    @needs("operator")
    def post_reopen(request: Request, id: int) -> Response:
        """Open one that was set aside."""
        with journal.database() as conn:
            reopen(conn, id if 0 < id < 2**63 else 0, actor_of(request).name)
        return see(request, f"/rejections/{id}")

    return router


def _written(body: str) -> str:
    """What a person wrote: a form's line ends are CRLF, whatever the text had."""
    return body.replace("\r\n", "\n")


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _title(code: str, language: Any) -> str:
    """What a code is called where no event is at hand: its sentence with gaps for its values, else itself."""
    return re.sub("‹[^›]*›", "…", explain(Problem(code), language).title) if code in catalogue() else code


def _moment(journal: Journal, text: str, *, last: bool) -> datetime | None:
    try:
        found = dates.read(text.strip(), journal.zone)
    except (ValueError, OverflowError):
        return None
    return found.last_end if last else found.start
