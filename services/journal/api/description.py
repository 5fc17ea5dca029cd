"""This API as OpenAPI 3.1: what FastAPI reads from the handlers, and what holds for all of them.

Refusals are problem+json everywhere, who may call is said by `@needs`, and lists come as sheets, too. A call that is
added later is described by the same rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from services.journal.guard import Need, need_of
from services.journal.problem_json import MEDIA_TYPE

CONVERTER = re.compile(r":\w+\}")
"""As in `{source:path}`: the description says `{source}`."""

PROBLEM = {
    "type": "object",
    "description": "What went wrong (RFC 9457). `code` is a slug that programs may rely on.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string", "description": "One plain sentence for people."},
    },
}
WORDS = {
    400: "The request cannot be understood; the detail names the term or the place.",
    401: "Nobody is logged in: send a valid token.",
    403: "The role may not do this.",
    404: "There is no such thing.",
    409: "It does not go together with what is there now.",
    413: "The body is too large.",
    415: "The content type is none of those that are taken.",
    422: "A value is wrong; `problems` names each.",
    429: "Too much at once: wait as long as Retry-After says.",
    503: "Busy, or the database is away: wait as long as Retry-After says.",
}
SHEETS = {
    "text/csv": {"schema": {"type": "string"}},
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {
        "schema": {"type": "string", "format": "binary"}
    },
}


def description(app: FastAPI) -> dict[str, Any]:
    """The whole document."""
    document = get_openapi(title="Connect", version=app.version, routes=app.routes)
    parts = document.setdefault("components", {})
    parts.setdefault("schemas", {})["Problem"] = PROBLEM
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": "connect_session"},
    }
    needs = _needs(app)
    for path, method, call in _calls(document):
        need = needs.get((method.upper(), path))
        call["security"] = [] if need in ("public", "everybody") else [{"token": []}, {"session": []}]
        call["x-connect-role"] = need
        taken = call["responses"]
        for status in _refusals(method, call, need):
            taken[str(status)] = _refusal(status)
        if any(one["name"] == "format" for one in call.get("parameters", ())):
            taken["200"].setdefault("content", {}).update(SHEETS)
    return document


def _calls(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            yield path, method, call


def _needs(app: FastAPI) -> dict[tuple[str, str], Need | None]:
    return {
        (method, CONVERTER.sub("}", str(route.path))): need_of(endpoint)
        for route in iter_route_contexts(app.routes)
        if (endpoint := getattr(route, "endpoint", None) or getattr(route.route, "endpoint", None)) is not None
        for method in route.methods or ()
    }


def _refusals(method: str, call: dict[str, Any], need: Need | None) -> list[int]:
    """What may be answered instead: by whether somebody has to be known, values can be wrong, something is changed."""
    found = {429, 503}
    if need not in ("public", "everybody"):
        found |= {401, 403}
    if call.get("parameters"):
        found |= {400, 404, 422}
    if method != "get":
        found |= {400, 404, 409, 413, 415, 422}
    return sorted(found)


def _refusal(status: int) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": WORDS[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in (429, 503):
        answer["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return answer
