"""Whatever a remote system answers over HTTP, a connector returns what it read or raises RemoteError; nothing else.

An input is `reader\\n` and JSON: the status and headers of all answers, and their bodies by path or operation. The real
`Http` reads them, through a transport that needs no socket.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import Any

import httpx2
import orjson

from shared.connectors.contract import RemoteError
from shared.connectors.deadline import CallClock
from shared.connectors.exchange import listening
from shared.connectors.http import Http
from shared.connectors.registry import discover
from shared.connectors.tokens import OwnTokens
from shared.connectors.unexpected import careful
from shared.runtime.decode import Refused, decode
from shared.runtime.erp_events import order_changed, stock_changed
from tests.fuzz import corpus
from tests.fuzz.mutate import TEXTS, Path, bent, places, written
from tests.fuzz.target import Target, explained, require, storable

NOW = datetime(2040, 1, 1, tzinfo=UTC)
HEADERS = ("Retry-After", "Date", "Location", "WWW-Authenticate", "Content-Type")
VALUES = (
    "7", "1e999", "-1", "nan", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:00 +9999",
    "Wed, 21 Oct 99999999999999999999 07:28:00 GMT", "Wed, 31 Feb 0000 24:61:61 GMT", "Mon, 01 Jan 0001 00:00:00 +2359",
    "http://169.254.169.254/latest", "//[", "http://[::1", "http://a:b@c/?token=x", "https://x:99999/", "\\\\host",
    'Bearer scope="orders read"', "text/html", "application/json", "", "%", "é",
)  # fmt: skip
STATUSES = (200, 200, 200, 200, 200, 201, 204, 301, 400, 401, 403, 404, 409, 418, 422, 429, 500, 503, 599)


class Context:
    """Neither limits nor notes anything."""

    def __init__(self) -> None:
        self.tokens = OwnTokens()
        self.at_once = 4

    def before_call(self, operation: str) -> None:
        """At once."""

    def before_send(self) -> None:
        """Nothing is kept back."""

    def after_call(self, operation: str, code: str, seconds: float) -> None:
        """Noted nowhere."""


@cache
def _recorded() -> dict[str, tuple[dict[str, Any], list[Path]]]:
    """Answers of ERPs by reader, as their samples tell them."""
    found = {}
    for key, connector in discover().items():
        for kind in ("change", "stock"):
            for file in sorted(connector.folder.glob(f"samples/{kind}-*.json")):
                content = json.loads(file.read_text(encoding="utf-8"))
                found[f"{key} {kind} {file.stem}"] = content["answers"], places(content["answers"])
    return found


@cache
def _asked(reader: str) -> str:
    key, kind, name = reader.split()
    content = json.loads((discover()[key].folder / "samples" / f"{name}.json").read_text(encoding="utf-8"))
    return str(content["number" if kind == "change" else "sku"])


def draw(chance: Random) -> bytes:
    """A reader, and its answers bent."""
    reader = chance.choice(list(_recorded()))
    answers, where = _recorded()[reader]
    told: dict[str, Any] = {"status": chance.choice(STATUSES) if chance.random() < 0.3 else 200, "headers": {}}
    for name in HEADERS:
        if chance.random() < 0.1:
            told["headers"][name] = chance.choice(VALUES if chance.random() < 0.9 else TEXTS)
    told["bodies"] = bent(answers, where, chance)
    return reader.encode() + b"\n" + written(told, chance)


def check(given: bytes) -> str:
    """Read what the reader reads, through the real client; what it read becomes events."""
    name, _, body = given.partition(b"\n")
    reader = name.decode()
    key, kind, _ = reader.split()
    try:
        told = json.loads(body.decode("utf-8", "surrogatepass"))
    except RecursionError:
        return "deeper than this test can read"
    connector = discover()[key]
    with _client(told) as http, listening() as heard:
        settings = connector.settings.model_validate(corpus.settings(key))
        build: Any = connector.status_source if kind == "change" else connector.stock_source
        try:
            events = _read(careful(build(settings, http), http), kind, _asked(reader))
        except RemoteError as error:
            require(len(error.detail) <= 500, "a detail of any length")
            storable([error.detail, error.clues], "the error")
            require(error.retry_after is None or 0 <= error.retry_after <= 3600, "a wait of any length")
            events, outcome = [], f"{error.reason}"
        else:
            outcome = f"{len(events)} events"
    for exchange in heard:
        kept = exchange.told(10_000, 10_000)
        storable(kept, "what is kept of the exchange")
        orjson.dumps(kept)
    for event in events:
        decoded = decode(event, None, NOW)
        if isinstance(decoded, Refused):
            explained(decoded.problems, "refused")
    return f"{kind} {outcome}"


def _read(source: Any, kind: str, asked: str) -> list[bytes]:
    if kind == "stock":
        return [stock_changed("otto-de", each.sku, each.quantity, NOW).body for each in source.sellable([asked])]
    changes = [each for found in source.read_changes([asked]).values() for each in found]
    return [order_changed("otto-de", change, NOW).body for change in changes]


def _client(told: dict[str, Any]) -> Http:
    """The real client, whose transport tells what was drawn."""
    client = httpx2.Client(base_url="http://127.0.0.1:9", transport=httpx2.MockTransport(_answering(told)))
    return Http("http://127.0.0.1:9", Context(), 20.0, client, CallClock())


def _answering(told: dict[str, Any]) -> Callable[[httpx2.Request], httpx2.Response]:
    bodies = told["bodies"] if isinstance(told["bodies"], dict) else {}
    left = [400]  # an answer may send its reader round in circles

    def answer(request: httpx2.Request) -> httpx2.Response:
        left[0] -= 1
        require(left[0], "a reader that never ends")
        path = request.url.path
        body = bodies.get(path, bodies.get(_operation(request, bodies)))
        content = json.dumps(body, allow_nan=True).encode() if body is not None else b""
        headers = [(name, _plain(value)) for name, value in told["headers"].items()]
        return httpx2.Response(int(told["status"]), headers=headers, stream=httpx2.ByteStream(content))

    return answer


def _operation(request: httpx2.Request, bodies: dict[str, Any]) -> str:
    """Which of the recorded operations a JSON-RPC call is, by the model that it names."""
    try:
        method = str(json.loads(request.content).get("method", ""))
    except ValueError:
        return ""
    for word, operation in MODELS.items():
        if word in method and operation in bodies:
            return operation
    return next(iter(bodies), "")


MODELS = {
    "login": "login", "sale.sale": "list-changes", "sale.line": "read-lines", "stock.shipment.out": "read-shipments",
    "stock.move": "read-moves", "stock.package": "read-packages", "product.product": "list-articles",
}  # fmt: skip


def _plain(value: str) -> bytes:
    """A header's value as it may travel: no line breaks, which end it."""
    return value.encode("utf-8", "replace").replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")


TARGET = Target("answer", draw, check)
