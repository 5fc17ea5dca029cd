"""Correct the staged copy of an order: edit its data, see what changes, then let it run. What was received is kept."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.frame import frame
from services.journal.pages.scope import see, spoken
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.records.history import read_record
from shared.records.resources import ORDERS
from shared.records.wording import explained
from shared.runtime.edit import Edited, edit_order

MOST_CHARACTERS = 1024 * 1024


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/orders/{id}/edit`"""
    router = guarded_router(journal)

    @router.get("/orders/{id}/edit")
    @needs("operator")
    def get_edit(request: Request, id: int) -> Response:
        """The staged data, to correct."""
        return show(request, id, None, None, None)

    @router.post("/orders/{id}/edit")
    @needs("operator")
    def post_edit(
        request: Request,
        id: int,
        data: Annotated[str, Form(max_length=MOST_CHARACTERS)] = "",
        seen: Annotated[int | None, Form()] = None,
        why: Annotated[str, Form()] = "",
        step: Annotated[str, Form()] = "check",
    ) -> Response:
        """First what would change and what is wrong; with the step `save` it is stored and runs."""
        text = data.replace("\r\n", "\n")
        try:
            given = json.loads(text)
        except ValueError as error:
            where = f"{getattr(error, 'lineno', 1)}:{getattr(error, 'colno', 1)}"
            return show(request, id, text, None, speaker(request).say("edit.no_json", where=where), why, 422)
        if not isinstance(given, dict):
            return show(request, id, text, None, speaker(request).say("edit.no_json", where="1:1"), why, 422)
        said = None
        if 0 < id < 2**63:
            with journal.database() as conn:
                said = edit_order(
                    conn, id, given, actor_of(request).name, seen=seen, why=why.strip()[:500].replace("\0", "") or None,
                    dry_run=step != "save", failpoint=journal.failpoint,
                )  # fmt: skip
        if said is not None and said.stored:
            return see(request, f"/orders/{id}")
        return show(request, id, text, said, None, why, 409 if said and said.refused in ("state", "overtaken") else 200)

    def show(
        request: Request,
        id: int,
        text: str | None,
        said: Edited | None,
        problem: str | None,
        why: str = "",
        status: int = 200,
    ) -> Response:
        reader = speaker(request)
        with journal.database() as conn:
            record = read_record(conn, id, language=reader.language) if 0 < id < 2**63 else None
            if record is None or record["flow"] != ORDERS.flow:
                return pages.error(request, reader, 404)
            values: dict[str, Any] = frame(conn, ORDERS.name, record["interface"])
        values |= {
            "record": record,
            "text": text or json.dumps(record["payload"].get("data") or {}, ensure_ascii=False, indent=2),
            "said": said,
            "problem": problem or (said and said.refused in ("state", "overtaken", "unchanged") and
                                   reader.say(f"edit.{said.refused}")) or None,
            "problems": explained([one.as_json() for one in said.problems], reader.language) if said else [],
            "why": why,
        }  # fmt: skip
        return pages.show(request, reader, "edit.html", values | spoken(ORDERS, reader), status)

    return router
