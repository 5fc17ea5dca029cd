"""Calls of the OTTO Market API that Connect needs for orders. Raw JSON becomes the contract in `mapping`."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from shared.connectors.contract import Reason, RemoteError, SourceOrder
from shared.connectors.http import Answer, Http
from shared.connectors.otto.mapping import source_order
from shared.connectors.otto.settings import OttoSettings
from shared.errors.problem import Problem

# What an import needs to see: what may be shipped, what is reserved, and what was called off.
STATUSES = ("PROCESSABLE", "ANNOUNCED", "CANCELLED_BY_MARKETPLACE")

RENEW_BEFORE = 60.0
"""Seconds before its end at which a token is renewed, so that none expires on the way."""


class OttoOrders:
    """Orders of one partner account. Safe for many threads."""

    def __init__(self, settings: OttoSettings, http: Http) -> None:
        self._settings = settings
        self._http = http
        self._token = Token(settings, http)

    def orders_changed(self, since: datetime) -> Iterator[list[SourceOrder]]:
        """Pages of orders changed at or after `since`, oldest change first."""
        params = [("fromDate", _stamp(since)), *(("fulfillmentStatus", status) for status in STATUSES)]
        params += [("orderColumnType", "ORDER_LIFECYCLE_DATE"), ("orderDirection", "ASC"), ("mode", "BUCKET")]
        limit = ("limit", str(self._settings.page_size))
        cursors: set[str] = set()
        while True:
            body = self._get("list-orders", "/v4/orders", [*params, limit])
            page = [self._mapped(raw) for raw in _resources(body)]
            if page:
                yield page
            cursor = _next_cursor(body)
            if cursor is None:
                return
            if cursor in cursors:
                raise RemoteError(Reason.BROKEN_ANSWER, "list-orders: the pages repeat themselves")
            cursors.add(cursor)
            params = [("nextcursor", cursor)]

    def read_orders(self, numbers: Sequence[str]) -> dict[str, SourceOrder]:
        """The orders with these numbers or ids, keyed as asked; unknown ones are left out."""
        found: dict[str, SourceOrder] = {}
        for number in dict.fromkeys(numbers):
            try:
                found[number] = self._mapped(self._get("read-order", f"/v4/orders/{quote(number, safe='')}", []))
            except RemoteError as error:
                if error.reason is not Reason.NOT_FOUND:
                    raise
        return found

    def ping(self) -> None:
        """Raise RemoteError unless OTTO answers and accepts the credentials for orders."""
        self._get("ping", "/v4/orders", [("limit", "1")])

    def _mapped(self, raw: Any) -> SourceOrder:
        return source_order(raw, self._settings.free_shipping_method)

    def _get(self, operation: str, path: str, params: Sequence[tuple[str, str]]) -> Any:
        return self._call(operation, "GET", path, params=params).body

    def _call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        json: Any = None,
        expect: Collection[int] = (200,),
    ) -> Answer:
        """One call; a token that OTTO no longer takes is renewed once. A 401 was not executed, so that is safe."""
        for renewed in (False, True):
            token, fresh = self._token.get()
            try:
                return self._http.request_json(
                    operation,
                    method,
                    path,
                    params=params,
                    json=json,
                    headers={"Authorization": f"Bearer {token}", "X-Request-Timestamp": _stamp(datetime.now(UTC))},
                    expect=expect,
                    explain=complaints,
                )
            except RemoteError as error:
                if error.reason is not Reason.UNAUTHORISED or renewed or fresh:
                    raise
                self._token.drop(token)
        raise AssertionError("unreachable")


class Token:
    """The access token: fetched once for all threads and kept until shortly before its end."""

    def __init__(self, settings: OttoSettings, http: Http) -> None:
        self._settings = settings
        self._http = http
        self._lock = threading.Lock()
        self._value: str | None = None
        self._ends = 0.0

    def __repr__(self) -> str:
        return "Token(…)"

    def get(self) -> tuple[str, bool]:
        """The token, and whether it was fetched by this very call."""
        if not self._lock.acquire(timeout=self._http.deadline):
            raise RemoteError(Reason.UNREACHABLE, "token: another call is still fetching it")
        try:
            if self._value and time.monotonic() < self._ends:
                return self._value, False
            self._value, seconds = self._fetch()
            self._ends = time.monotonic() + max(seconds - RENEW_BEFORE, seconds / 2)
            return self._value, True
        finally:
            self._lock.release()

    def drop(self, token: str) -> None:
        """Forget a token that was refused, unless another thread has renewed it already."""
        with self._lock:
            if self._value == token:
                self._value = None

    def _fetch(self) -> tuple[str, float]:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret.get_secret_value(),
            "scope": self._settings.scope,
        }
        try:
            body = self._http.request_json("token", "POST", self._settings.token_path, data=form).body
        except RemoteError as error:
            if error.reason is Reason.INVALID:
                # OAuth 2 answers 400 to credentials it does not know.
                raise RemoteError(Reason.UNAUTHORISED, error.detail, status=error.status) from None
            raise
        try:
            return str(body["access_token"]), float(body["expires_in"])
        except (KeyError, TypeError, ValueError):
            raise RemoteError(Reason.BROKEN_ANSWER, "token: the answer holds no token") from None


def complaints(_status: int, body: Any) -> list[Problem]:
    """OTTO's error list as problems; some of its interfaces send a single object instead of a list."""
    errors = body.get("errors") if isinstance(body, Mapping) else None
    entries = [errors] if isinstance(errors, Mapping) else errors if isinstance(errors, list) else []
    found = []
    for each in entries:
        if isinstance(each, Mapping):
            message = str(each.get("detail") or each.get("title") or "")[:300]
            field = str(each.get("jsonPath") or each.get("jsonpath") or "")[:200]
            values = {"message": message, "detail": message, "system": "OTTO Market"}
            found.append(Problem("remote-refused", field, values))
    return found


def _resources(body: Any) -> list[Any]:
    resources = body.get("resources") if isinstance(body, Mapping) else None
    if not isinstance(resources, list):
        raise RemoteError(Reason.BROKEN_ANSWER, "list-orders: the answer holds no list of orders")
    return resources


def _next_cursor(body: Mapping[str, Any]) -> str | None:
    """The cursor out of the link to the next page. Only the cursor is taken: a link must not lead us elsewhere."""
    for link in body.get("links") or ():
        if isinstance(link, Mapping) and link.get("rel") == "next":
            return dict(parse_qsl(urlsplit(str(link.get("href", ""))).query)).get("nextcursor")
    return None


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
