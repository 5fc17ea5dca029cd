"""Calls to one Xentral instance: token, lists with their filters and pages, and what a refusal says."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from shared.connectors.contract import Reason, RemoteError
from shared.connectors.http import Answer, Explain, Http
from shared.connectors.xentral.known import KnownProducts
from shared.connectors.xentral.refusal import complaints
from shared.connectors.xentral.settings import XentralSettings

PAGE = 50
"""The largest page, and so the most values asked for at once."""

LONGEST_QUERY = 6000
"""Characters of the values of one query: common web servers refuse addresses of more than 8 KiB."""

Raw = Mapping[str, Any]
Filter = tuple[str, str, str | Sequence[str]]
"""Key, operator, and one value or a list of them."""


class XentralCalls:
    """Calls of one instance. Safe for many threads."""

    def __init__(self, settings: XentralSettings, http: Http) -> None:
        self._settings = settings
        self._http = http
        self._products = KnownProducts()

    def _product_ids(self, skus: Sequence[str]) -> dict[str, str]:
        """The ids of those that Xentral knows; they are remembered."""
        found = self._products.ids(skus)
        missing = [sku for sku in dict.fromkeys(skus) if sku not in found]
        for batch in batches(missing):
            asked = set(batch)
            hits = {
                str(raw["number"]): str(raw["id"])
                for raw in self._list("find-products", "/api/v2/products", "number", batch)
                if raw.get("number") in asked and raw.get("id")
            }
            self._products.learn(hits)
            found.update(hits)
        return found

    def _read(self, order_id: str) -> Raw:
        return self._data("read-order", f"/api/v1/salesOrders/{quote(order_id, safe='')}")

    def _data(self, operation: str, path: str) -> Raw:
        """A single thing."""
        body = self._call(operation, "GET", path).body
        data = body.get("data") if isinstance(body, Mapping) else None
        if not isinstance(data, Mapping):
            raise RemoteError(Reason.BROKEN_ANSWER, f"{operation}: the answer does not hold what was asked for")
        return data

    def _list(self, operation: str, path: str, key: str, values: Sequence[str]) -> Iterator[Raw]:
        """All hits, page by page: one number may have several orders, so a batch may have more than one page."""
        for page in self._pages(operation, path, [(key, "in", values)]):
            yield from page

    def _pages(
        self, operation: str, path: str, filters: Sequence[Filter], *, newer: bool = False
    ) -> Iterator[list[Raw]]:
        """Pages until one is not full; the filters are ANDed. `newer` speaks the paging of version 3."""
        query = filter_query(filters)
        number, before = 1, None
        while True:
            names = ("page", "perPage") if newer else ("page[number]", "page[size]")
            params = [*query, (names[0], str(number)), (names[1], str(PAGE))]
            headers = {"x-pagination": "simple"} if newer else {}
            body = self._call(operation, "GET", path, params=params, headers=headers).body
            hits = body.get("data") if isinstance(body, Mapping) else None
            if not isinstance(hits, list) or not all(isinstance(hit, Mapping) for hit in hits):
                raise RemoteError(Reason.BROKEN_ANSWER, f"{operation}: the answer holds no list")
            if hits and hits == before:
                # Whoever does not understand our paging answers the first page for ever.
                raise RemoteError(Reason.BROKEN_ANSWER, f"{operation}: the pages repeat themselves")
            if hits:
                yield hits
            if len(hits) < PAGE:
                return
            number, before = number + 1, hits

    def _call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        json: Any = None,
        expect: Collection[int] = (200,),
        headers: Mapping[str, str] | None = None,
        explain: Explain | None = None,
    ) -> Answer:
        return self._http.request_json(
            operation,
            method,
            path,
            params=params,
            json=json,
            headers={"Authorization": f"Bearer {self._settings.token.get_secret_value()}", **(headers or {})},
            expect=expect,
            explain=explain or (lambda _status, body: complaints(body)),
        )


def filter_query(filters: Sequence[Filter]) -> list[tuple[str, str]]:
    """Filters as Xentral wants them in the address."""
    query = []
    for place, (key, operator, value) in enumerate(filters):
        query += [(f"filter[{place}][key]", key), (f"filter[{place}][op]", operator)]
        if isinstance(value, str):
            query.append((f"filter[{place}][value]", value))
        else:
            query += [(f"filter[{place}][value][{number}]", each) for number, each in enumerate(value)]
    return query


def batches(values: Collection[str]) -> Iterator[list[str]]:
    """The values in groups that fit into one page and into one address."""
    batch: list[str] = []
    length = 0
    for value in values:
        size = len(quote(value)) + len("&filter%5B0%5D%5Bvalue%5D%5B00%5D=")
        if batch and (len(batch) == PAGE or length + size > LONGEST_QUERY):
            yield batch
            batch, length = [], 0
        batch.append(value)
        length += size
    if batch:
        yield batch


def moment(value: Any) -> datetime | None:
    """A time with its zone, None for anything else."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else None
