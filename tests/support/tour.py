"""Every page of the Journal, found from its routes: a new page is looked at without being entered anywhere.

A route without parameters is its own address. For the others the pages are followed link by link, until each route has
an address that leads to it; `SAMPLES` names those that nothing links to.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpx2
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from services.journal.problem_json import is_api
from tests.support.seed import SLUG

PARAMETER = re.compile(r"\{\w+(?::\w+)?\}")
LINK = re.compile(r"<a\b[^>]*?\shref=\"([^\"]+)\"")
PAGES_AT_MOST = 400

SAMPLES = {
    "/orders/{id}": "/orders/{failed}",
    "/exports/{id}": "/exports/{export-done}",
    "/articles/{id}": "/articles/{article-parent}",
    "/receipts/{id}": "/receipts/{receipt}",
    "/errands/{id}": "/errands/{errand}",
    "/rejections/{id}": "/rejections/{rejection}",
    "/users/{id}": "/users/{user}",
    "/orders/fetch": "/orders/fetch?id={failed}",
    "/groups/{id}": "/groups/{group}",
    "/interfaces/{slug}/groups": f"/interfaces/{SLUG}/groups",
    "/interfaces/{slug}/mappings/remove": f"/interfaces/{SLUG}/mappings/remove?kind=payment&source=INVOICE_SINGLE",
    "/alarms/{id}": "/alarms/{alarm}",
    "/alarms/{id}/edit": "/alarms/{alarm}/edit",
    "/alarms/leave/{token}": "/alarms/leave/{link-leave}",
    "/alarms/confirm/{token}": "/alarms/confirm/{link-confirm}",
    "/alarms/answer/{token}/{id}/{what}": "/alarms/answer/{link-answer}/{incident}/later",
    "/privacy/{id}": "/privacy/{deed}",
    "/bulk/{id}": "/bulk/{bulk}",
    "/runs/{id}": "/runs/{bulk}",
}
"""By route: an address with names of what was seeded, where one page must be looked at rather than another."""

VARIANTS = {
    "orders-failed": "/orders?filter=state:failed",
    "orders-none": "/orders?filter=4711,4712,4713",
    "orders-wrong-filter": "/orders?filter=stat:failed",
    "orders-of-one": f"/interfaces/{SLUG}/orders",
    "order-waiting": "/orders/{waiting}",
    "order-done": "/orders/{done}",
    "order-warning": "/orders/{warning}",
    "export-failed": "/exports/{export-failed}",
    "article-failed": "/articles/{article-failed}",
    "orders-import-some": "/orders/import?filter=state:failed",
    "orders-retry-some": "/orders/retry?filter=state:failed",
    "mapping-aimed-at": f"/interfaces/{SLUG}/mappings?kind=payment&source=KLARNA",
    "rejections-of-one-cause": "/rejections?code=field-invalid",
    "rejections-sent-again": "/rejections/resubmit?code=field-invalid",
    "books-done": "/accounting/inputs?term=done",
    "books-rejected": "/accounting/inputs?term=rejected",
    "not-there": "/orders/999999999",
    "link-ended": "/alarms/leave/of-nobody",
}
"""More than one look at a page."""

ELSEWHERE = ("/login/provider", "/login/provider/back", "/orders/filter", "/exports/filter", "/articles/filter")
"""They send on and show nothing themselves: to an identity provider, to a list with the filter put together."""

SIGNED_OUT = ("/login",)
"""What somebody who is not logged in sees; everybody else is sent on."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A page to look at. name: for a file; path: its address, with query; signed_in: False for who is not logged in."""

    name: str
    path: str
    signed_in: bool = True


class NotReached(AssertionError):
    """A page that no link leads to and that has no sample."""


def stops(app: FastAPI, client: httpx2.Client, ids: Mapping[str, str]) -> list[Stop]:
    """Every page once and the variants. client: logged in as an admin; raises NotReached."""
    found = {name: path for name, path in _variants(ids).items() if client.get(path).status_code < 500}
    for route, path in _addresses(app, client, ids).items():
        answer = client.get(path)
        # One that is about something chosen says so when nothing is; that is a page, too.
        if answer.status_code not in (200, 303) and (answer.status_code >= 500 or PARAMETER.search(route)):
            raise NotReached(f"{path} answers {answer.status_code}.")
        if answer.headers.get("content-type", "").startswith("text/html") or route in SIGNED_OUT:
            found.setdefault(PARAMETER.sub("one", route).strip("/").replace("/", "-") or "first", path)
    by_path = {path: name for name, path in reversed(found.items())}
    every = (Stop(name, path, path not in SIGNED_OUT) for path, name in by_path.items())
    return sorted(every, key=lambda stop: stop.name)


def page_routes(app: FastAPI) -> list[str]:
    """The paths of all GET routes that people open."""
    return sorted(
        {
            str(route.path)
            for route in iter_route_contexts(app.routes)
            if "GET" in (route.methods or ())
            and str(route.path) not in ELSEWHERE
            and not is_api(str(route.path))
            and "/static/" not in str(route.path)
        }
    )


def _variants(ids: Mapping[str, str]) -> dict[str, str]:
    return {name: path.format_map(ids) for name, path in VARIANTS.items() if _known(path, ids)}


def _known(path: str, ids: Mapping[str, str]) -> bool:
    return all(name in ids for name in re.findall(r"\{([^}]+)\}", path))


def _addresses(app: FastAPI, client: httpx2.Client, ids: Mapping[str, str]) -> dict[str, str]:
    """Route → an address that it answers."""
    routes = page_routes(app)
    fixed = {route for route in routes if not PARAMETER.search(route)}
    reached = {route: SAMPLES.get(route, route).format_map(ids) for route in fixed}
    wanted = {}
    for route in routes:
        sample = SAMPLES.get(route)
        if route in fixed:
            continue
        if PARAMETER.findall(route) == ["{slug}"] and sample is None:
            sample = route.replace("{slug}", SLUG)
        if sample and _known(sample, ids):
            reached[route] = sample.format_map(ids)
        else:
            wanted[route] = re.compile(PARAMETER.sub("[^/]+", route.replace(".", r"\.")))
    ahead, seen = [*reached.values(), *_variants(ids).values()], set()
    while ahead and wanted and len(seen) < PAGES_AT_MOST:
        page = ahead.pop(0)
        if page in seen:
            continue
        seen.add(page)
        answer = client.get(page)
        if answer.status_code != 200 or not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        for link in LINK.findall(answer.text):
            target = urlsplit(urljoin(page, html.unescape(link)))
            if target.netloc or target.path in fixed:
                continue
            for route, pattern in list(wanted.items()):
                if pattern.fullmatch(target.path):
                    reached[route] = target.path
                    ahead.append(target.path)
                    del wanted[route]
    if wanted:
        raise NotReached(
            f"No link leads to {', '.join(sorted(wanted))}: link it from a page, seed what it shows (tests/support/"
            "seed.py), or name a sample in tests/support/tour.py."
        )
    return reached
