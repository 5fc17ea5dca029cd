"""Calls to one Tryton database over JSON-RPC: session, context, lists, and what Tryton knows by a code."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from shared.connectors.contract import Reason, RemoteError
from shared.connectors.http import Http
from shared.connectors.tryton.known import Known
from shared.connectors.tryton.refusal import refused
from shared.connectors.tryton.session import Session
from shared.connectors.tryton.settings import TrytonSettings

PAGE = 50
"""Values asked for at once, and records of a page."""

Raw = Mapping[str, Any]
Domain = list[Any]
BY_ID = [["id", "ASC"]]


class TrytonCalls:
    """Calls of one database. Safe for many threads."""

    def __init__(self, settings: TrytonSettings, http: Http) -> None:
        self._settings = settings
        self._http = http
        self._session = Session(settings, http)
        self._products: Known[Raw] = Known()
        self._codes: Known[int] = Known()
        # Messages come in the language of the context; the user's own would do for people, not for a journal.
        self._context: dict[str, Any] = {"company": settings.company, "language": "en"}

    def _products_of(self, codes: Sequence[str], operation: str = "find-products") -> dict[str, Raw]:
        """Products that Tryton knows by these codes, with the unit they are sold in; they are remembered."""
        found = self._products.find(codes)
        missing = [code for code in dict.fromkeys(codes) if code not in found]
        for batch in batches(missing):
            domain = [["code", "in", batch], ["salable", "=", True]]
            for raw in self._all(operation, "product.product", domain, ["code", "sale_uom"]):
                code = raw.get("code")
                if code in batch and code not in found and raw.get("id"):
                    found[str(code)] = raw
        self._products.learn({code: found[code] for code in missing if code in found})
        return found

    def _id_of(self, model: str, code: str) -> int | None:
        """The id of a currency or country by its code."""
        key = f"{model}:{code}"
        known = self._codes.find([key])
        if not known:
            for raw in self._all("find-codes", model, [["code", "=", code]], ["code"]):
                known = {key: int(raw["id"])}
            self._codes.learn(known)
        return known.get(key)

    def _all(self, operation: str, model: str, domain: Domain, fields: Sequence[str], **context: Any) -> list[Raw]:
        """All records, page by page."""
        return [raw for page in self._pages(operation, model, domain, fields, **context) for raw in page]

    def _pages(
        self,
        operation: str,
        model: str,
        domain: Domain,
        fields: Sequence[str],
        *,
        size: int = 10 * PAGE,
        **context: Any,
    ) -> Iterator[list[Raw]]:
        """Pages in the order of the ids. Each begins behind the last id of the one before, so that none is left out
        when records change meanwhile."""
        last = 0
        while True:
            narrowed = [*domain, ["id", ">", last]] if last else domain
            page = self._call(
                operation, f"model.{model}.search_read", narrowed, 0, size, BY_ID, list(fields), **context
            )
            if not isinstance(page, list) or not all(isinstance(raw, Mapping) and raw.get("id") for raw in page):
                raise RemoteError(Reason.BROKEN_ANSWER, f"{operation}: the answer holds no list of records")
            if page and int(page[-1]["id"]) <= last:
                raise RemoteError(Reason.BROKEN_ANSWER, f"{operation}: the pages repeat themselves")
            if page:
                yield page
            if len(page) < size:
                return
            last = int(page[-1]["id"])

    def _call(self, operation: str, method: str, *params: Any, **context: Any) -> Any:
        """One call. A session that Tryton no longer knows is opened anew once: a 401 was not executed."""
        json = {"id": 1, "method": method, "params": [*params, {**self._context, **context}]}
        for renewed in (False, True):
            key, fresh = self._session.get()
            try:
                body = self._http.request_json(
                    operation,
                    "POST",
                    f"/{self._settings.database}/",
                    # Tryton ignores it; in the access log of a proxy it tells one call from the other.
                    params=[("operation", operation)],
                    json=json,
                    headers={"Authorization": f"Session {key}"},
                    only_reads=method.endswith(".search_read"),
                ).body
            except RemoteError as error:
                if error.reason is not Reason.UNAUTHORISED or renewed or fresh:
                    raise
                self._session.drop(key)
                continue
            if not isinstance(body, Mapping) or ("result" not in body and not body.get("error")):
                raise RemoteError(Reason.BROKEN_ANSWER, f"{operation}: the answer is none of JSON-RPC")
            if body.get("error"):
                raise refused(operation, body["error"])
            return body.get("result")
        raise AssertionError("unreachable")


def batches(values: Collection[Any], size: int = PAGE) -> Iterator[list[Any]]:
    """The values in groups."""
    listed = list(values)
    for start in range(0, len(listed), size):
        yield listed[start : start + size]


def related(raw: Raw, name: str) -> Raw:
    """A record that was read along with another: `carrier.party` comes as `{"carrier.": {"party": …}}`."""
    found = raw.get(f"{name}.")
    return found if isinstance(found, Mapping) else {}
