"""The session of one user: opened by name and password once for all threads, and opened anew when Tryton forgot it."""

from __future__ import annotations

import base64
import threading

from shared.connectors.contract import Reason, RemoteError
from shared.connectors.http import Http
from shared.connectors.tryton.refusal import refused
from shared.connectors.tryton.settings import TrytonSettings


class Session:
    """What stands in the header `Authorization`."""

    def __init__(self, settings: TrytonSettings, http: Http) -> None:
        self._settings = settings
        self._http = http
        self._lock = threading.Lock()
        self._key: str | None = None

    def __repr__(self) -> str:
        return "Session(…)"

    def get(self) -> tuple[str, bool]:
        """The key, and whether this very call opened the session."""
        if not self._lock.acquire(timeout=self._http.deadline):
            raise RemoteError(Reason.UNREACHABLE, "login: another call is still logging in")
        try:
            if self._key is not None:
                return self._key, False
            self._key = self._open()
            return self._key, True
        finally:
            self._lock.release()

    def drop(self, key: str) -> None:
        """Forget a key that was refused, unless another thread has a new one already."""
        with self._lock:
            if self._key == key:
                self._key = None

    def _open(self) -> str:
        secret = {"password": self._settings.password.get_secret_value()}
        body = self._http.request_json(
            "login",
            "POST",
            f"/{self._settings.database}/",
            params=[("operation", "login")],
            json={"id": 0, "method": "common.db.login", "params": [self._settings.user, secret, "en"]},
        ).body
        if isinstance(body, dict) and body.get("error"):
            raise refused("login", body["error"])
        try:
            user, key = body["result"][:2]
        except (TypeError, KeyError, ValueError):
            raise RemoteError(Reason.BROKEN_ANSWER, "login: the answer holds no session") from None
        return base64.b64encode(f"{self._settings.user}:{user}:{key}".encode()).decode()
