"""Puts the Journal together: routers, middleware, error handlers. Called by `__main__.py` and by the tests."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.middleware.gzip import GZipMiddleware

from services.journal.access_log import AccessLog
from services.journal.api import (
    answers,
    by_hand,
    events,
    facets,
    interfaces,
    modes,
    overview,
    people,
    records,
    rejections,
    views,
    webhooks,
)
from services.journal.headers import SafeHeaders
from services.journal.limits import AT_ONCE, BodyLimit, Crowd
from services.journal.origin import SameOrigin
from services.journal.pages import answers as answer_pages
from services.journal.pages import by_hand as by_hand_page
from services.journal.pages import (
    filter_form,
    first,
    login,
    record_list,
    record_page,
    refused,
    request_form,
    static,
    theme,
)
from services.journal.pages import interfaces as interface_pages
from services.journal.pages import views as view_pages
from services.journal.problem_json import install
from services.journal.render import Pages
from services.journal.wiring import Journal
from shared.records.resources import RESOURCES


def create_app(journal: Journal, version: str = "0.1.0", at_once: int = AT_ONCE) -> FastAPI:
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
    for calls in (events, answers, by_hand, rejections, people, interfaces, modes, overview, views, webhooks):
        app.include_router(calls.routes(journal))
    for resource in RESOURCES:
        app.include_router(facets.routes(journal, resource), tags=[resource.name])
        app.include_router(records.routes(journal, resource), tags=[resource.name])
    app.include_router(first.routes(journal), include_in_schema=False)
    for page in (login, answer_pages, by_hand_page, interface_pages, refused, static, theme, view_pages):
        app.include_router(page.routes(journal, pages), include_in_schema=False)
    for of_records in (record_list, filter_form, request_form, record_page):
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
