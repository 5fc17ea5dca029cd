"""Calls to one Shopify shop: token, document, and what the answer says. Used by every capability."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared.connectors.contract import Reason, RemoteError
from shared.connectors.http import Answer, Http
from shared.connectors.shopify.answer import data_of, seconds_to_wait
from shared.connectors.shopify.documents import DOCUMENTS
from shared.connectors.shopify.settings import ShopifySettings
from shared.connectors.shopify.token import Token
from shared.errors.problem import Problem

CHANGES = frozenset(name for name, text in DOCUMENTS.items() if text.lstrip().startswith("mutation"))


class ShopifyCalls:
    """Calls of one shop. Safe for many threads."""

    scopes: tuple[str, ...] = ()
    """What the app must be allowed to do, as `ping` checks it."""

    def __init__(self, settings: ShopifySettings, http: Http) -> None:
        self._settings = settings
        self._http = http
        self._token = Token(settings, http)
        self._path = f"/admin/api/{settings.api_version}/graphql.json"

    def ping(self) -> None:
        """Raise RemoteError unless Shopify answers, accepts the credentials and allows what is needed."""
        installation = self._ask("ping", {}).get("currentAppInstallation") or {}
        granted = {each.get("handle") for each in installation.get("accessScopes") or ()}
        # Whoever may write may read; a scope for all orders holds the one for the last sixty days.
        granted |= {str(scope).replace("write_", "read_", 1) for scope in granted}
        missing = [scope for scope in self.scopes if scope not in granted]
        if missing:
            raise RemoteError(Reason.FORBIDDEN, f"ping: the app lacks the scope {', '.join(missing)}", status=200)

    def _ask(self, operation: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """The data of one call; a token that is no longer taken is renewed once. A 401 was not executed: safe."""
        for renewed in (False, True):
            token, final = self._token.get()
            try:
                body = self._post(operation, token, variables).body
                return data_of(operation, body, changes=operation in CHANGES)
            except RemoteError as error:
                if error.reason is not Reason.UNAUTHORISED or renewed or final:
                    raise
                self._token.drop(token)
        raise AssertionError("unreachable")

    def _post(self, operation: str, token: str, variables: Mapping[str, Any]) -> Answer:
        said: list[Any] = []

        def explain(_status: int, body: Any) -> list[Problem]:
            said.append(body)
            return []

        try:
            return self._http.request_json(
                operation,
                "POST",
                self._path,
                json={"query": DOCUMENTS[operation], "variables": variables},
                headers={"X-Shopify-Access-Token": token},
                explain=explain,
                only_reads=operation not in CHANGES,
            )
        except RemoteError as error:
            if error.reason is Reason.RATE_LIMITED and error.retry_after is None and said:
                error.retry_after = seconds_to_wait(said[0])
            raise

    def _pages(self, operation: str, variables: Mapping[str, Any], *path: str) -> Iterator[list[Any]]:
        """The nodes of a connection, page by page; `path` leads to it in the data."""
        after, cursors = None, set[str]()
        while True:
            nodes, after = page_of(operation, self._ask(operation, {**variables, "after": after}), *path)
            yield nodes
            if after is None:
                return
            if after in cursors:
                raise RemoteError(Reason.BROKEN_ANSWER, f"{operation}: the pages repeat themselves")
            cursors.add(after)

    def _rest(self, operation: str, first: Any, variables: Mapping[str, Any], *path: str) -> list[Any]:
        """All nodes of a connection whose first page came along with something else."""
        nodes, after = page_of(operation, {"first": first}, "first")
        cursors = set[str]()
        while after is not None:
            if after in cursors:
                raise RemoteError(Reason.BROKEN_ANSWER, f"{operation}: the pages repeat themselves")
            cursors.add(after)
            more, after = page_of(operation, self._ask(operation, {**variables, "after": after}), *path)
            nodes = nodes + more
        return nodes


def page_of(operation: str, data: Any, *path: str) -> tuple[list[Any], str | None]:
    """The nodes at `path`, and the cursor of the next page, None at the end. NOT_FOUND where what holds them is not."""
    for name in path:
        if data is None:
            raise RemoteError(Reason.NOT_FOUND, f"{operation}: there is no such thing", status=200)
        data = data.get(name) if isinstance(data, Mapping) else None
    nodes = data.get("nodes") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(nodes, list):
        raise RemoteError(Reason.BROKEN_ANSWER, f"{operation}: the answer holds no list", status=200)
    info = data.get("pageInfo") or {}
    return nodes, str(info["endCursor"]) if info.get("hasNextPage") and info.get("endCursor") else None


def gid(kind: str, number: str) -> str:
    """`Order`, `450789469` → Shopify's global id."""
    return f"gid://shopify/{kind}/{number}"


def number_of(global_id: Any) -> str:
    """The number in a global id."""
    return str(global_id or "").rpartition("/")[2].partition("?")[0]


def quoted(value: str) -> str:
    """A value as a search takes it literally."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
