"""Puts the Journal together: routers, middleware, error handlers. Called by `__main__.py` and by the tests."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.middleware.gzip import GZipMiddleware

from services.journal.access_log import AccessLog
from services.journal.api import served as calls
from services.journal.headers import SafeHeaders
from services.journal.limits import AT_ONCE, BodyLimit, Crowd
from services.journal.origin import SameOrigin
from services.journal.pages import served as served_pages
from services.journal.problem_json import install
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.records.resources import RESOURCES
from shared.version import VERSION


def create_app(journal: Journal, version: str = VERSION, at_once: int = AT_ONCE) -> FastAPI:
    """The whole service as an ASGI app."""
    app = FastAPI(
        title="Connect",
        version=version,
        openapi_url=None,  # served by a route of our own, which is guarded like the others
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False},
    )
    pages = Pages(journal.zone, journal.titles)
    for call in calls.CALLS:
        app.include_router(call.routes(journal))
    for resource in RESOURCES:
        for of_resource in calls.OF_RESOURCES:
            app.include_router(of_resource.routes(journal, resource), tags=[resource.name])
    for page in served_pages.PAGES:
        app.include_router(page.routes(journal, pages), include_in_schema=False)
    for of_records in served_pages.OF_RESOURCES:
        for resource in RESOURCES:
            app.include_router(of_records.routes(journal, pages, resource), include_in_schema=False)
    pages.paths = frozenset(str(route.path) for route in iter_route_contexts(app.routes))
    install(app, pages)
    # The last one added is the outermost.
    # Our pages hold no secret that a length could betray: the session is in a cookie, and forms need no token.
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_middleware(BodyLimit)
    app.add_middleware(SameOrigin)
    app.add_middleware(Crowd, at_once=at_once)
    app.add_middleware(AccessLog)
    app.add_middleware(SafeHeaders, https=journal.secure)
    return app
