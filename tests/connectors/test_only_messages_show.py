"""Of an answer that is an error, people see what its message says, and nothing else: asked of every connector.

A remote system may put anything into such a body: its own tokens, the headers of our request, addresses of its
network, the trace of its program. None of that belongs into the result of a test of the connection, which more people
see than may see a body, nor into a record's reason, nor into a log. Each canary stands where a known system, or a proxy
before it, puts such a thing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, get_args

import httpx2
import pytest
import structlog

from shared import log
from shared.connectors import http
from shared.connectors.connection import examine
from shared.connectors.contract import Connector, Draft, RemoteError
from shared.connectors.registry import discover
from shared.connectors.unexpected import careful
from shared.errors.catalogue import explain
from shared.errors.entry import Language
from shared.errors.problem import Problem
from shared.events.orders import Order
from shared.runtime.judge import from_remote_error
from shared.runtime.outcome import Fail, Retry
from tests.connectors.conftest import Opened

CONNECTORS = [pytest.param(connector, id=key) for key, connector in discover().items()]
URL = "https://api.example.org"
SAID = "What people may read"
TOKEN, HEADER = "canary-token-9f3a", "Bearer canary-header-77"
ADDRESS = "http://canary-host.internal:9200/_search?q=canary-query"
TRACE = 'File "/srv/canary/app.py", line 7, in canary_function'
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

BESIDE: dict[str, Any] = {
    "type": ADDRESS, "instance": ADDRESS, "url": ADDRESS, "href": ADDRESS, "token": TOKEN, "access_token": TOKEN,
    "trace": TRACE, "stack": TRACE, "exception": {"file": TRACE, "trace": [TRACE], "message": TRACE},
    "headers": {"authorization": HEADER}, "request": {"url": ADDRESS, "headers": {"cookie": HEADER}, "body": TOKEN},
    "debug": {"message": TRACE, "sql": TOKEN}, "logref": TOKEN, "links": [{"rel": "next", "href": ADDRESS}],
}  # fmt: skip
"""What may lie beside a message at any depth."""

CODES = (
    "", TOKEN, TRACE, ADDRESS, "400", "404", "THROTTLED", "ACCESS_DENIED", "UNAUTHORIZED", "FORBIDDEN", "INVALID",
    "BAD_USER_INPUT", "INTERNAL_SERVER_ERROR", "ENTITY_NOT_FOUND", "MAX_COST_EXCEEDED", "UNAUTHENTICATED",
)  # fmt: skip


def listed(code: str) -> dict[str, Any]:
    """A list of errors, as OTTO, Shopify and Vendure send it."""
    one = {
        **BESIDE, "message": SAID, "detail": SAID, "title": SAID, "code": code, "path": [TOKEN, ADDRESS],
        "jsonPath": ADDRESS, "field": [ADDRESS], "locations": [{"source": TRACE}],
        "extensions": {**BESIDE, "code": code, "stacktrace": [TRACE], "exception": {"stacktrace": [TRACE]}},
    }  # fmt: skip
    return {**BESIDE, "errors": [one, {**one, "code": TOKEN}], "data": None}


def of_a_change(code: str) -> dict[str, Any]:
    """A change that was refused, as Shopify and Vendure say it inside of the data."""
    one = {**BESIDE, "message": SAID, "code": code, "errorCode": code, "field": [ADDRESS, TOKEN]}
    names = (
        "fulfillmentCreate", "inventorySetQuantities", "inventoryActivate", "addFulfillmentToOrder", "cancelOrder",
        "transitionFulfillmentToState", "updateProductVariants", "orderCancel",
    )  # fmt: skip
    held = {**one, "userErrors": [one], "orderCancelUserErrors": [one]}
    return {**BESIDE, "data": dict.fromkeys(names, held)}


REFUSALS: tuple[Any, ...] = (
    ["UserError", [SAID, SAID, TOKEN, TRACE]], ["UserWarning", [TOKEN, SAID, SAID, TRACE]],
    ["ConcurrencyException", TOKEN], ["LoginException", [TOKEN, TRACE]], [TRACE, TRACE], [TOKEN, TRACE],
    [f"'{TOKEN}'", TRACE], [HEADER, ADDRESS], TRACE, TOKEN, {"message": TRACE, "data": BESIDE}, [[TOKEN], TRACE],
)  # fmt: skip
"""As Tryton says it: the kind, what a person may read, the trace."""

VIOLATIONS = {
    **BESIDE, "title": SAID, "detail": TRACE, "violations": {"name": [SAID], ADDRESS: [SAID], TRACE: {"_": SAID}},
    "messages": [SAID], "items": [{**BESIDE, "messages": {"email": SAID, "positions": [{"product": [SAID]}]}}],
}  # fmt: skip
"""As Xentral says it: messages in place of the values that are wrong."""

BODIES: dict[str, Any] = {
    **{f"list-{number}": listed(code) for number, code in enumerate(CODES)},
    **{f"change-{number}": of_a_change(code) for number, code in enumerate(CODES)},
    "one-error": {**BESIDE, "errors": {**BESIDE, "detail": SAID, "code": TOKEN}},
    "text": {**BESIDE, "errors": SAID},
    "violations": VIOLATIONS,
    **{f"rpc-{number}": {**BESIDE, "error": error} for number, error in enumerate(REFUSALS)},
    "beside": BESIDE,
    "result": {"result": {**BESIDE, "quantity": TOKEN}, "data": BESIDE},
    "results": {"result": [{**BESIDE, "id": TOKEN, "forecast_quantity": {"decimal": TOKEN}}], "data": [BESIDE]},
    "oauth": {**BESIDE, "error": "invalid_client", "error_description": TOKEN},
    "string": TOKEN,
    "array": [TRACE, BESIDE],
}
RAW: dict[str, bytes] = {
    "page": f"<html><title>{TRACE}</title><pre>{HEADER}</pre></html>".encode(),
    "words": TRACE.encode(),
    "half": json.dumps(BESIDE).encode()[:-9],
}
HEADERS = {
    "Server": HEADER, "Set-Cookie": f"session={TOKEN}", "X-Debug": TRACE, "Via": ADDRESS, "Retry-After": "1",
    "WWW-Authenticate": f'Bearer realm="{ADDRESS}", error_description="{TOKEN}"',
    "Location": f"https://canary-user:canary-word@moved.example.org/?token={TOKEN}#canary",  # pragma: allowlist secret
}  # fmt: skip
STATUSES = (200, 302, 401, 403, 404, 409, 422, 429, 500)
OFTEN = ("list-0", "list-1", "violations", "rpc-0", "rpc-4", "beside", "page")
"""Bodies that come with every status."""

GOOD = json.dumps({"access_token": "fetched-access", "expires_in": 900, "result": [7, "opened-session"]}).encode()


def calls_of(side: Opened) -> Iterator[Callable[[], Any]]:
    """What is asked of a connector while its system answers so."""
    if side.source:
        yield lambda: list(side.source.orders_changed(LONG_AGO))
        yield lambda: side.source.read_orders(["4711"])
    if side.sink:
        yield lambda: side.sink.find_orders(["4711"])
        yield lambda: side.sink.find_products(["ABC-1"])
        yield lambda: side.sink.create_order(_draft(side))
        yield lambda: side.sink.cancel_order("7")
    if side.stock_sink:
        yield lambda: side.stock_sink.send_quantities({"ABC-1": 5})
        yield lambda: side.stock_sink.read_quantities(["ABC-1"])
    if side.status_sink:
        yield lambda: side.status_sink.read_units(["7"])
        yield lambda: side.status_sink.find_shipments("DHL", "1", "7")
    if side.stock_source:
        yield lambda: list(side.stock_source.sellable(["ABC-1"]))
    if side.status_source:
        yield lambda: side.status_source.read_changes(["4711"])


def _draft(side: Opened) -> Draft:
    good = next(path for path in sorted(side.samples.glob("order-*.json")) if "good" in path.name)
    draft = side.sink.draft(Order.model_validate(json.loads(good.read_text(encoding="utf-8"))["order"]), side.mappings)
    assert isinstance(draft, Draft)
    return draft


def answering(body: bytes, status: int, login: bool) -> Callable[[httpx2.Request], httpx2.Response]:
    """Answers like this; with `login` it opens sessions and gives tokens, so that the calls behind are made at all."""
    kind = {"Content-Type": "text/html"} if body[:1] == b"<" else {}

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked = "token" in request.url.path or b"common.db.login" in request.content
        if asked and login:
            return httpx2.Response(200, stream=httpx2.ByteStream(GOOD))
        return httpx2.Response(status, headers=HEADERS | kind, stream=httpx2.ByteStream(body))

    return answer


def told(error: RemoteError) -> list[str]:
    """What becomes of an error where people read: a record's reason in both languages, and what is stored."""
    outcome = from_remote_error(error, "Acme", called=True)
    problems: tuple[Problem, ...] = ()
    match outcome:
        case Retry(problem=problem):
            problems = (problem,)
        case Fail(problems=several):
            problems = several
    assert problems, outcome
    shown = [explain(problem, language) for problem in problems for language in get_args(Language)]
    return [
        json.dumps([problem.as_json() for problem in (*problems, *error.problems)]),
        *(f"{one.title} {one.cause} {one.steps}" for one in shown),
        repr(error.clues),
        error.detail,
        str(error),
        repr(error),
    ]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("login", [True, False], ids=["inside", "at-the-door"])
@pytest.mark.parametrize("connector", CONNECTORS)
def test_of_an_error_only_its_message_is_shown(
    connector: Connector, login: bool, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log.set_up("tests", "json")  # here: a fixture's streams are others than the test's
    bodies = {name: json.dumps(body).encode() for name, body in BODIES.items()} | RAW
    found, failures, messages = [], 0, 0
    for name, body in bodies.items():
        # What is wrong with a change stands inside of data, which nobody reads of a refusal.
        for status in (*STATUSES, 400) if name in OFTEN else (200,) if name.startswith("change") else (200, 400):
            mocked = httpx2.MockTransport(answering(body, status, login))
            monkeypatch.setattr(http, "transport", lambda *_, mocked=mocked: mocked)
            shown = list(_shown(connector))
            failures += len(shown)
            text = "\n".join(shown)
            messages += SAID in text
            if "canary" in text:
                found.append((name, status, next(line for line in text.splitlines() if "canary" in line)[:300]))
    assert found == []
    assert failures > 100, "nothing was refused, so nothing was looked at"
    if login:
        assert messages, "and the message itself is shown"
    lines = "".join(capfd.readouterr())
    assert "call.failed" in lines
    assert "canary" not in lines


def _shown(connector: Connector) -> Iterator[str]:
    side = Opened(connector, URL, 20.0)
    values = json.loads((side.samples / "settings.json").read_text(encoding="utf-8").replace("{sandbox}", URL))
    for name, capability in (("marketplace", connector.source), ("erp", connector.sink)):
        if capability is not None:
            yield json.dumps(examine(connector, name, values))
    for one in (side.source, side.sink, side.stock_sink, side.status_sink, side.stock_source, side.status_source):
        if one is not None:
            careful(one, side.http)
    with side.http:
        for call in calls_of(side):
            try:
                found = call()
            except RemoteError as error:
                structlog.get_logger().warning("call.failed", error=error, exc_info=error, code=str(error.reason))
                yield from told(error)
            else:
                if isinstance(found, dict):  # what a batch says of each article
                    problems = [one for one in found.values() if isinstance(one, Problem)]
                    yield json.dumps([one.as_json() for one in problems])
