"""Calls to OTTO Market as one partner: token, request headers, and what a refusal says. Used by every capability."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from shared.connectors.contract import Reason, RemoteError, Token
from shared.connectors.http import Answer, Explain, Http
from shared.connectors.otto.settings import OttoSettings
from shared.connectors.worded import place
from shared.errors.problem import Problem

SYSTEM = "OTTO Market"
ACCESS = "access"
"""The name of the one token that all calls of an account use."""


class OttoCalls:
    """Calls of one partner account. Safe for many threads."""

    def __init__(self, settings: OttoSettings, http: Http) -> None:
        self._settings = settings
        self._http = http

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
        explain: Explain | None = None,
    ) -> Answer:
        """One call; a token that OTTO no longer takes is renewed once. A 401 was not executed, so that is safe."""
        for renewed in (False, True):
            token, fresh = self._http.tokens.get(ACCESS, lambda: _fetched(self._settings, self._http))
            try:
                return self._http.request_json(
                    operation,
                    method,
                    path,
                    params=params,
                    json=json,
                    headers={"Authorization": f"Bearer {token}", "X-Request-Timestamp": stamp(datetime.now(UTC))},
                    expect=expect,
                    explain=explain or complaints,
                )
            except RemoteError as error:
                if error.reason is not Reason.UNAUTHORISED or renewed or fresh:
                    raise
                self._http.tokens.drop(ACCESS, token)
        raise AssertionError("unreachable")


def _fetched(settings: OttoSettings, http: Http) -> Token:
    """A new token for the client's credentials."""
    form = {
        "grant_type": "client_credentials",
        "client_id": settings.client_id,
        "client_secret": settings.client_secret.get_secret_value(),
        "scope": settings.scope,
    }
    try:
        body = http.request_json("token", "POST", settings.token_path, data=form).body
    except RemoteError as error:
        if error.reason is Reason.INVALID:
            # OAuth 2 answers 400 to credentials it does not know.
            raise RemoteError(Reason.UNAUTHORISED, error.detail, status=error.status) from None
        raise
    try:
        return Token(str(body["access_token"]), float(body["expires_in"]))
    except (KeyError, TypeError, ValueError):
        raise RemoteError(Reason.BROKEN_ANSWER, "token: the answer holds no token") from None


def complaints(_status: int, body: Any) -> list[Problem]:
    """OTTO's error list as problems."""
    found = []
    for each in errors(body):
        field = place(each.get("jsonPath") or each.get("jsonpath"))
        values = {"message": message(each), "detail": message(each), "system": SYSTEM}
        found.append(Problem("remote-refused", field, values))
    return found


def errors(body: Any) -> list[Mapping[str, Any]]:
    """OTTO's error list; some of its interfaces send a single object instead of a list."""
    given = body.get("errors") if isinstance(body, Mapping) else None
    entries = [given] if isinstance(given, Mapping) else given if isinstance(given, list) else []
    return [each for each in entries if isinstance(each, Mapping)]


def message(error: Mapping[str, Any]) -> str:
    """What one error says."""
    return str(error.get("detail") or error.get("title") or "")[:300]


def stamp(moment: datetime) -> str:
    """A moment as OTTO writes it: UTC with milliseconds and a Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def next_link(body: Mapping[str, Any], parameter: str) -> str | None:
    """The cursor out of the link to the next page. Only the cursor is taken: a link must not lead us elsewhere."""
    for link in body.get("links") or ():
        if isinstance(link, Mapping) and link.get("rel") == "next":
            return dict(parse_qsl(urlsplit(str(link.get("href", ""))).query)).get(parameter)
    return None
