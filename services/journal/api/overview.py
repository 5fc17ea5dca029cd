"""What the whole installation does: its services, its interfaces and what is still to be done."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from services.journal.api.description import description
from services.journal.guard import guarded_router, needs
from services.journal.wiring import Journal
from shared.errors.entry import Language
from shared.records.health import backlog, open_incidents_count
from shared.status.document import status


def routes(journal: Journal) -> APIRouter:
    """The calls of these resources."""
    router = guarded_router(journal, "/api/v1")

    @router.get("/status")
    @needs("viewer")
    def get_status(language: Language = "en") -> dict[str, Any]:
        """How interfaces, services, broker and database are doing, what is wrong, what waits for its turn."""
        seen = journal.broker.seen()
        with journal.database() as conn:
            return status(conn, seen, language) | {"backlog": backlog(conn)}

    @router.get("/incidents/count")
    @needs("viewer")
    def count_incidents() -> dict[str, int]:
        """How many incidents are open, by severity: what the badge of every page says."""
        with journal.database() as conn:
            return {"error": 0, "warning": 0} | open_incidents_count(conn)

    @router.get("/openapi.json", include_in_schema=False)
    @needs("public")
    def get_openapi_json(request: Request) -> dict[str, Any]:
        """This API as OpenAPI 3.1; holds no data, so everybody may read it."""
        app = request.app
        if app.openapi_schema is None:
            app.openapi_schema = description(app)
        schema: dict[str, Any] = app.openapi_schema
        return schema

    return router
