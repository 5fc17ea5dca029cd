"""Import by number: a plain form, and the receipt that fills as the marketplace answers."""

from __future__ import annotations

import re
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.frame import frame
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.people.audit import audit
from shared.records.actions import MOST_NUMBERS, read_receipt
from shared.records.actions import request as ask
from shared.records.interfaces import modes

BETWEEN = re.compile(r"[\s,;]+")


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/orders/import` and `/receipts/{id}`."""
    router = guarded_router(journal)

    def form(request: Request, problem: str | None, interface: str, numbers: str, status: int) -> Response:
        with journal.database() as conn:
            values = frame(conn, "orders") | {"problem": problem, "interface": interface, "numbers": numbers}
        return pages.show(request, speaker(request), "import.html", values | {"most": MOST_NUMBERS}, status)

    @router.get("/orders/import")
    @needs("operator")
    def get_import(request: Request, interface: str = "") -> Response:
        """The form."""
        return form(request, None, interface, "", 200)

    @router.post("/orders/import")
    @needs("operator")
    def post_import(
        request: Request, interface: Annotated[str, Form()] = "", numbers: Annotated[str, Form()] = ""
    ) -> Response:
        """Ask for the orders and show the receipt."""
        actor = actor_of(request).name
        wanted = [number for number in BETWEEN.split(numbers) if number]
        with journal.database() as conn:
            known = modes(conn)
        if interface not in known or not wanted or len(wanted) > MOST_NUMBERS or "\0" in numbers:
            problem = "import.no-interface" if interface not in known else "import.numbers-problem"
            return form(request, problem, interface, numbers.replace("\0", ""), 422)
        with journal.database() as conn:
            receipt = ask(conn, "import", interface, wanted, actor)
            audit(conn, actor, "orders.import", {"interface": interface, "receipt": str(receipt)})
        return RedirectResponse(f"/receipts/{receipt}", 303)

    @router.get("/receipts/{id}")
    @needs("viewer")
    def get_receipt(request: Request, id: UUID) -> Response:
        """What became of each number."""
        reader = speaker(request)
        with journal.database() as conn:
            receipt = read_receipt(conn, id)
            if receipt is None:
                return pages.error(request, reader, 404)
            values = frame(conn, "orders") | {"receipt": receipt}
        return pages.show(request, reader, "receipt.html", values)

    return router
