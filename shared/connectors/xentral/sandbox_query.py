"""What every call of the stand-in has: the token, the filters and pages of a list, and the form of an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

Raw = dict[str, Any]
PROBLEMS = "https://api.xentral.biz/problems"

_FILTER = re.compile(r"^filter\[(\d+)\]\[(key|op|value)\](?:\[\d*\])?$")


def known(request: Request) -> bool:
    """Whether the call shows a token."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return scheme == "Bearer" and token not in ("", "wrong")


def unauthorised() -> Response:
    return HTMLResponse("Unauthorized", 401)


def problem(status: int, kind: str, title: str, **more: Any) -> Response:
    body = {"type": f"{PROBLEMS}/{kind}", "title": title, **more}
    return JSONResponse(body, status, media_type="application/problem+json")


def listed(data: Sequence[Raw], total: int, number: int, size: int) -> Response:
    return JSONResponse({"data": data, "extra": {"totalCount": total, "page": {"number": number, "size": size}}})


def paged(rows: Sequence[Raw], request: Request) -> Response:
    """The page of the rows that was asked for."""
    number, size = page(request)
    return listed(rows[(number - 1) * size : number * size], len(rows), number, size)


def page(request: Request) -> tuple[int, int]:
    """Number and size of the page; version 3 has other names for them."""
    given = request.query_params
    number = int(given.get("page[number]") or given.get("page") or "1")
    size = int(given.get("page[size]") or given.get("perPage") or "10")
    return max(number, 1), min(max(size, 1), 50)


def filters(request: Request) -> list[tuple[str, str, list[str]]]:
    """(key, operator, values) of each filter; they are ANDed."""
    found: dict[str, tuple[dict[str, str], list[str]]] = {}
    for name, value in request.query_params.multi_items():
        part = _FILTER.match(name)
        if part:
            words, values = found.setdefault(part[1], ({}, []))
            if part[2] == "value":
                values.append(value)
            else:
                words[part[2]] = value
    return [(words.get("key", ""), words.get("op", "equals"), values) for words, values in found.values()]


def stamp(seconds: float) -> str:
    """A moment as Xentral writes it: whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()
