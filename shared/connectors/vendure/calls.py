"""Calls to the Admin API of one channel: key, documents, and what an error says. Used by every capability.

Vendure answers most errors with HTTP 200: as `errors` beside the data, or as a result of the type ErrorResult.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from shared.connectors.contract import Reason, RemoteError
from shared.connectors.http import Http
from shared.connectors.vendure.documents import PING
from shared.connectors.vendure.settings import VendureSettings
from shared.connectors.worded import code, joined
from shared.errors.problem import Problem

SYSTEM = "Vendure"
UNCODED = "an error without a code"

_REASONS: Mapping[str, Reason] = {
    "UNAUTHENTICATED": Reason.UNAUTHORISED,
    "UNAUTHORIZED": Reason.UNAUTHORISED,
    "FORBIDDEN": Reason.FORBIDDEN,
    "ENTITY_NOT_FOUND": Reason.NOT_FOUND,
    # Nobody knows what was done before it came to that.
    "INTERNAL_SERVER_ERROR": Reason.UNAVAILABLE,
    "": Reason.UNAVAILABLE,
}
"""What stands in an error's `extensions.code`. Everything else concerns what we sent."""

_CONFLICTS = frozenset(
    {
        "ITEMS_ALREADY_FULFILLED_ERROR",
        "FULFILLMENT_STATE_TRANSITION_ERROR",
        "ORDER_STATE_TRANSITION_ERROR",
        "CANCEL_ACTIVE_ORDER_ERROR",
        "QUANTITY_TOO_GREAT_ERROR",
    }
)
"""Results that mean: the order is not as we took it to be."""

_OPERATION = re.compile(r"\b(?:query|mutation)\s+(\w+)")


class VendureCalls:
    """Calls with the API key of one channel. Safe for many threads."""

    def __init__(self, settings: VendureSettings, http: Http) -> None:
        self._settings = settings
        self._http = http

    def _ask(self, operation: str, document: str, variables: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """The `data` of one document. RemoteError for everything that Vendure has against it as a whole."""
        named = _OPERATION.search(document)
        assert named is not None, "each document names its operation"
        headers = {
            "vendure-api-key": self._settings.api_key.get_secret_value(),
            # Apollo's name for it: logs on the way tell the calls apart, which all have one path.
            "x-apollo-operation-name": named[1],
        }
        if self._settings.channel_token:
            headers["vendure-token"] = self._settings.channel_token
        body = self._http.request_json(
            operation,
            "POST",
            self._settings.api_path,
            json={"operationName": named[1], "query": document, "variables": dict(variables or {})},
            headers=headers,
            explain=complaints,
            only_reads="mutation " not in document,
        ).body
        if said := errors(body):
            raise _refused(operation, said)
        data = body.get("data") if isinstance(body, Mapping) else None
        if not isinstance(data, Mapping):
            raise RemoteError(Reason.BROKEN_ANSWER, f"{operation}: the answer holds no data", status=200)
        return data

    def _items(self, operation: str, data: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
        """The items of a list in `data`."""
        held = data.get(name)
        items = held.get("items") if isinstance(held, Mapping) else None
        if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
            raise RemoteError(Reason.BROKEN_ANSWER, f"{operation}: the answer holds no list", status=200)
        return items

    def _change(self, operation: str, document: str, variables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        """The result of a mutation. RemoteError for a result that is an error."""
        result = self._ask(operation, document, variables).get(name)
        if not isinstance(result, Mapping):
            raise RemoteError(Reason.BROKEN_ANSWER, f"{operation}: the answer holds no result", status=200)
        if kind := result.get("errorCode"):
            message = str(result.get("message") or "")[:300]
            problem = Problem("remote-refused", "", {"message": message, "detail": message, "system": SYSTEM})
            reason = Reason.CONFLICT if kind in _CONFLICTS else Reason.INVALID
            raise RemoteError(reason, f"{operation}: {code(kind) or UNCODED}", status=200, problems=[problem])
        return result

    def _ping(self, document: str, variables: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Raise RemoteError unless the key is accepted, and its role may do what `document` does."""
        try:
            self._ask("ping", PING)
        except RemoteError as error:
            # Vendure has one word for a wrong key and a missing right. Everybody with a key may see the channel.
            if error.reason is Reason.FORBIDDEN and error.status == 200:
                raise RemoteError(Reason.UNAUTHORISED, error.detail, status=200, problems=error.problems) from None
            raise
        return self._ask("ping", document, variables)


def _refused(operation: str, said: Sequence[Mapping[str, Any]]) -> RemoteError:
    kind = _code(said[0])
    reason = _REASONS.get(kind, Reason.INVALID)
    return RemoteError(reason, f"{operation}: {code(kind) or UNCODED}", status=200, problems=_named(said))


def complaints(_status: int, body: Any) -> list[Problem]:
    """The errors in a refusal as problems."""
    return _named(errors(body))


def _named(said: Sequence[Mapping[str, Any]]) -> list[Problem]:
    return [
        Problem("remote-refused", _path(each), {"message": text, "detail": text, "system": SYSTEM})
        for each in said
        for text in [str(each.get("message") or "")[:300]]
    ]


def errors(body: Any) -> list[Mapping[str, Any]]:
    """The list of errors in an answer."""
    given = body.get("errors") if isinstance(body, Mapping) else None
    return [each for each in given if isinstance(each, Mapping)] if isinstance(given, list) else []


def _code(error: Mapping[str, Any]) -> str:
    extensions = error.get("extensions")
    return str(extensions.get("code") or "")[:80] if isinstance(extensions, Mapping) else ""


def _path(error: Mapping[str, Any]) -> str:
    path = error.get("path")
    return joined(path) if isinstance(path, list) else ""


def stamp(moment: datetime) -> str:
    """A moment as Vendure writes it: UTC with milliseconds and a Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
