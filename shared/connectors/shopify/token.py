"""The access token: the one of the settings, or one fetched with the app's id and secret and kept for its day."""

from __future__ import annotations

import threading
import time

from shared.connectors.contract import Reason, RemoteError
from shared.connectors.http import Http
from shared.connectors.shopify.settings import ShopifySettings

PATH = "/admin/oauth/access_token"
RENEW_BEFORE = 300.0
"""Seconds before its end at which a token is renewed, so that none expires on the way."""


class Token:
    """Fetched once for all threads. Safe for many threads."""

    def __init__(self, settings: ShopifySettings, http: Http) -> None:
        self._settings = settings
        self._http = http
        self._lock = threading.Lock()
        self._value: str | None = None
        self._ends = 0.0

    def __repr__(self) -> str:
        return "Token(…)"

    def get(self) -> tuple[str, bool]:
        """The token, and whether there is no point in fetching another one: it is new, or not ours to renew."""
        if not self._settings.client_id:
            assert self._settings.access_token is not None  # the settings' own rule
            return self._settings.access_token.get_secret_value(), True
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
        assert self._settings.client_secret is not None
        form = {
            "grant_type": "client_credentials",
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret.get_secret_value(),
        }
        try:
            body = self._http.request_json("token", "POST", PATH, data=form, only_reads=True).body
        except RemoteError as error:
            if error.reason is Reason.INVALID:
                # OAuth 2 answers 400 to credentials it does not know.
                raise RemoteError(Reason.UNAUTHORISED, error.detail, status=error.status) from None
            raise
        try:
            return str(body["access_token"]), float(body.get("expires_in", 86_400))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise RemoteError(Reason.BROKEN_ANSWER, "token: the answer holds no token") from None
