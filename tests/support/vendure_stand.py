"""The stand-in of Vendure without a server: its shop answers the connector's documents in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.connectors.contract import OwnTokens, Reason, RemoteError
from shared.connectors.http import Answer
from shared.connectors.vendure.sandbox import Market
from shared.connectors.vendure.sandbox_graphql import Document, Invalid, Refused
from shared.connectors.vendure.sandbox_store import Store
from shared.connectors.vendure.settings import VendureSettings


class InProcess:
    """An Http whose other end is the stand-in. `calls` are the operations so far; `before` is asked before each."""

    base_url = "http://in-process"
    deadline = 1.0

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.tokens = OwnTokens()
        self.market = Market(Store(folder))
        self.store = self.market.store
        self.settings = VendureSettings.model_validate({"base_url": self.base_url, "api_key": "k", **settings})
        self.calls: list[str] = []
        self.before: Callable[[str], None] = lambda _operation: None

    def products(self, *skus: str, **more: Any) -> None:
        """The shop sells these."""
        self.store.save_products([{"sku": sku, **more} for sku in skus])

    def request_json(self, operation: str, method: str, path: str, **given: Any) -> Answer:
        """As Http does it, with the errors of GraphQL only."""
        self.calls.append(operation)
        self.before(operation)
        body = given["json"]
        try:
            data = Document(body["query"]).answer(self.market._shop.roots(True), body["variables"])
        except Invalid as error:
            raise RemoteError(Reason.INVALID, f"{operation}: {error}", status=400) from None
        except Refused as error:
            return Answer(200, {}, {"errors": [{"message": error.message, "extensions": {"code": error.code}}]})
        return Answer(200, {}, {"data": data})
