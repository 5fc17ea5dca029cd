"""What became of something that somebody asked for: receipts, errands."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.journal.api.bodies import NewErrand
from services.journal.asking import there
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.people.audit import audit
from shared.records.errands import ErrandVerb, ask_errand, read_errand
from shared.records.interfaces import modes
from shared.records.receipt import read_receipt


def routes(journal: Journal) -> APIRouter:
    """The calls of these resources."""
    router = guarded_router(journal, "/api/v1")

    @router.get("/receipts/{id}")
    @needs("viewer")
    def get_receipt(request: Request, id: UUID, language: Literal["de", "en"] = "en") -> dict[str, Any]:
        """A receipt, number by number; of a dry run with its documents, which may name buyers, for those who may see
        them."""
        reveal = actor_of(request).at_least("operator")
        with journal.database() as conn:
            return there(read_receipt(conn, id, reveal=reveal, language=language), "receipt")

    @router.post("/articles/listing", status_code=202)
    @needs("operator")
    def refresh_listing(request: Request, response: Response, body: NewErrand) -> dict[str, Any]:
        """Read from the ERP what an interface lists. Answers with an errand; one under way is answered again."""
        return send(request, response, "listing", body.interface)

    @router.post("/articles/check", status_code=202)
    @needs("operator")
    def check_quantities(request: Request, response: Response, body: NewErrand) -> dict[str, Any]:
        """Read the marketplace's quantities and list what differs. Answers with an errand."""
        return send(request, response, "drift", body.interface)

    @router.get("/errands/{id}")
    @needs("viewer")
    def get_errand(id: UUID) -> dict[str, Any]:
        """An errand: how far it is, and its result."""
        with journal.database() as conn:
            return there(read_errand(conn, id), "errand")

    def send(request: Request, response: Response, verb: ErrandVerb, interface: str) -> dict[str, Any]:
        actor = actor_of(request).name
        with journal.database() as conn, conn.transaction():
            if interface not in modes(conn):
                raise ApiProblem(404, "interface-unknown", f"There is no interface “{interface}”.")
            errand = ask_errand(conn, verb, interface, actor)
            audit(conn, actor, f"articles.{verb}", {"interface": interface, "errand": str(errand)})
            found = there(read_errand(conn, errand), "errand")
        response.headers["Location"] = f"/api/v1/errands/{errand}"
        return found

    return router
