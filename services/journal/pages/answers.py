"""What became of what somebody asked for: the receipt of a request; and errands, which are asked for here as well."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from services.journal.guard import actor_of, guarded_router, needs
from services.journal.language import speaker
from services.journal.pages.frame import frame
from services.journal.pages.scope import scope, see, spoken
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.people.audit import audit
from shared.records.errands import ErrandVerb, ask_errand, read_errand
from shared.records.filter import Atom, Term
from shared.records.interfaces import modes
from shared.records.listing import list_records
from shared.records.receipt import read_receipt
from shared.records.resources import ARTICLES, OF_VERB
from shared.records.wording import remark

DIFFERS = "drift:yes"
SHOWN = 200
LISTED = 100
"""So many numbers of a receipt make the filter of its link to the list."""
MOVING = ("pending", "running")


def routes(journal: Journal, pages: Pages) -> APIRouter:
    """`/receipts/{id}`, `/articles/listing`, `/articles/check`, `/errands/{id}`."""
    router = guarded_router(journal)

    @router.get("/receipts/{id}")
    @needs("viewer")
    def get_receipt(request: Request, id: UUID) -> Response:
        """What became of each number."""
        reader = speaker(request)
        with journal.database() as conn:
            reveal = actor_of(request).at_least("operator")
            receipt = read_receipt(conn, id, reveal=reveal, language=reader.language)
            if receipt is None:
                return pages.error(request, reader, 404)
            resource = OF_VERB[receipt["verb"]]
            values = frame(conn, resource.name) | spoken(resource, reader) | {"receipt": receipt}
            values["moving"] = not receipt["complete"] or any(one["state"] in MOVING for one in receipt["numbers"])
            values["hidden"] = not reveal
            numbers = [one["number"] for one in receipt["numbers"] if one["record_id"]][:LISTED]
            values["listed"] = Term(tuple(Atom("", "", number) for number in numbers)).text if numbers else ""
        return pages.show(request, reader, "receipt.html", values)

    @router.post("/articles/listing")
    @needs("operator")
    def post_listing(request: Request, interface: Annotated[str, Form()] = "") -> Response:
        """Read from the ERP now what an interface lists."""
        return send(request, "listing", interface)

    @router.post("/articles/check")
    @needs("operator")
    def post_check(request: Request, interface: Annotated[str, Form()] = "") -> Response:
        """Compare with what the marketplace shows."""
        return send(request, "drift", interface)

    def send(request: Request, verb: ErrandVerb, interface: str) -> Response:
        actor = actor_of(request).name
        with journal.database() as conn, conn.transaction():
            if interface not in modes(conn):
                return pages.error(request, speaker(request), 422)
            errand = ask_errand(conn, verb, interface, actor)
            audit(conn, actor, f"articles.{verb}", {"interface": interface, "errand": str(errand)})
        return see(request, f"/errands/{errand}")

    @router.get("/errands/{id}")
    @needs("viewer")
    def get_errand(request: Request, id: UUID) -> Response:
        """How far an errand is; of a finished check, what differs."""
        reader = speaker(request)
        with journal.database() as conn:
            errand = read_errand(conn, id)
            if errand is None:
                return pages.error(request, reader, 404)
            slug = errand["interface"]
            if errand["verb"] == "rehearsal":
                return see(request, f"/interfaces/{slug}")
            values = frame(conn, ARTICLES.name, slug) | spoken(ARTICLES, reader) | {"errand": errand, "differs": None}
            if errand["verb"] == "drift" and errand["finished_at"] is not None:
                wanted = scope(conn, journal, slug, DIFFERS)
                values["differs"] = list_records(
                    conn, ARTICLES.flow, wanted, sort="number", limit=SHOWN, language=reader.language
                )
        values |= {"why": remark(errand["code"], reader.language) or errand["code"], "filter": DIFFERS}
        return pages.show(request, reader, "errand.html", values)

    return router
