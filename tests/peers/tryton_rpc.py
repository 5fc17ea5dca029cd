"""JSON-RPC to a real Tryton as its administrator: what people in shop and warehouse do there. Knows no connector."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import httpx2


class TrytonRefused(Exception):
    """Tryton answered with an error."""


class Rpc:
    """One session. A server that died in between is asked again by whoever started it anew."""

    def __init__(self, address: str, database: str, user: str, password: str, company: int) -> None:
        self._address = f"{address}/{database}/"
        self._account = (user, password)
        self._context = {"company": company, "language": "en"}
        self._headers: dict[str, str] = {}
        self._client = httpx2.Client(timeout=300, trust_env=False)

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def login(self) -> None:
        """A new session."""
        user, password = self._account
        number, key, *_ = self._post("common.db.login", [user, {"password": password}, "en"])
        self._headers = {"Authorization": "Session " + base64.b64encode(f"{user}:{number}:{key}".encode()).decode()}

    def call(self, method: str, *params: Any, **context: Any) -> Any:
        """`model.sale.sale.search`, …; the context comes last by itself."""
        if not self._headers:
            self.login()
        return self._post(method, [*params, {**self._context, **context}])

    def read(self, model: str, domain: list[Any], *fields: str, **context: Any) -> list[dict[str, Any]]:
        """Records in the order of their ids."""
        found = self.call(f"model.{model}.search_read", domain, 0, None, [["id", "ASC"]], list(fields), **context)
        return [dict(record) for record in found]

    def _post(self, method: str, params: list[Any]) -> Any:
        body = {"id": 1, "method": method, "params": params}
        answer = self._client.post(self._address, json=body, headers=self._headers).raise_for_status().json()
        if answer.get("error"):
            raise TrytonRefused(str(answer["error"])[:2000])
        return answer["result"]


def number(value: float | str) -> dict[str, str]:
    """A decimal."""
    return {"__class__": "Decimal", "decimal": str(value)}


def today() -> dict[str, Any]:
    """The day it is."""
    now = datetime.now(UTC)
    return {"__class__": "date", "year": now.year, "month": now.month, "day": now.day}
