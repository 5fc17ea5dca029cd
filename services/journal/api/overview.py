"""What the whole installation does: its services, its interfaces and what is still to be done."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from services.journal.api.description import description
from services.journal.guard import guarded_router, needs
from services.journal.wiring import Journal
from shared.records.overview import backlog, interfaces, services


def routes(journal: Journal) -> APIRouter:
    """The calls of these resources."""
    router = guarded_router(journal, "/api/v1")

    @router.get("/status")
    @needs("viewer")
    def get_status() -> dict[str, Any]:
        """Which services are there, how the interfaces are doing, what waits for its turn."""
        with journal.database() as conn:
            return {"services": services(conn), "interfaces": interfaces(conn), "backlog": backlog(conn)}

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
