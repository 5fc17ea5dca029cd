"""The session of one user: opened by name and password once for all workers, and opened anew when Tryton forgot it."""

from __future__ import annotations

import base64

from shared.connectors.contract import Reason, RemoteError, Token
from shared.connectors.http import Http
from shared.connectors.tryton.refusal import refused
from shared.connectors.tryton.settings import TrytonSettings

SESSION = "session"
KEPT_SECONDS = 3600.0
"""Tryton ends a session that nobody uses by a setting of its own, and does not say when: so long we try."""


class Session:
    """What stands in the header `Authorization`. Safe for many threads."""

    def __init__(self, settings: TrytonSettings, http: Http) -> None:
        self._settings = settings
        self._http = http

    def __repr__(self) -> str:
        return "Session(…)"

    def get(self) -> tuple[str, bool]:
        """The key, and whether this very call opened the session."""
        return self._http.tokens.get(SESSION, lambda: Token(self._open(), KEPT_SECONDS))

    def drop(self, key: str) -> None:
        """Forget a key that was refused, unless another worker has a new one already."""
        self._http.tokens.drop(SESSION, key)

    def _open(self) -> str:
        secret = {"password": self._settings.password.get_secret_value()}
        body = self._http.request_json(
            "login",
            "POST",
            f"/{self._settings.database}/",
            params=[("operation", "login")],
            json={"id": 0, "method": "common.db.login", "params": [self._settings.user, secret, "en"]},
            private=True,
        ).body
        if isinstance(body, dict) and body.get("error"):
            raise refused("login", body["error"])
        try:
            user, key = body["result"][:2]
        except (TypeError, KeyError, ValueError):
            raise RemoteError(Reason.BROKEN_ANSWER, "login: the answer holds no session") from None
        return base64.b64encode(f"{self._settings.user}:{user}:{key}".encode()).decode()
