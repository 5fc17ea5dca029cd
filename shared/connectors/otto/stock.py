"""Quantities to OTTO Market, up to 200 a call, and back.

OTTO answers item by item. Its errors have no field for the SKU they mean; it stands in their text only.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from shared.connectors.contract import HeldQuantity, Reason, RemoteError
from shared.connectors.http import reason_of
from shared.connectors.otto.calls import SYSTEM, OttoCalls, complaints, errors, message, next_link
from shared.errors.problem import Problem

PATH = "/v1/availability/quantities"
BATCH = 200


class OttoStock(OttoCalls):
    """Available quantities of one partner account. Safe for many threads."""

    @property
    def batch_size(self) -> int:
        """The most SKUs of a call."""
        return BATCH

    def send_quantities(self, quantities: Mapping[str, int]) -> dict[str, Problem | None]:
        """Set them; per SKU None for accepted, or its problem."""
        if len(quantities) > BATCH:
            raise ValueError(f"{len(quantities)} SKUs, but a call takes {BATCH}")
        settled: dict[str, Problem | None] = {}
        waiting = [list(quantities)] if quantities else []
        while waiting:
            skus = waiting.pop()
            answer = self._call(
                "send-quantities",
                "POST",
                PATH,
                json=[{"sku": sku, "quantity": quantities[sku]} for sku in skus],
                expect=(200, 207, 404, 413, 422),
            )
            said = errors(answer.body)
            if answer.status == 200:
                settled.update(dict.fromkeys(skus))
            elif answer.status == 207:
                taken = _accepted(answer.body)
                refused = [sku for sku in skus if sku not in taken]
                settled.update(dict.fromkeys(taken.intersection(skus)))
                settled.update({sku: _refusal(sku, _named(said, refused).get(sku), said) for sku in refused})
            elif not said or (answer.status == 413 and len(skus) == 1):
                # Not OTTO's word about items: something on the way, or a call that fails as a whole.
                detail = f"send-quantities: HTTP {answer.status}"
                problems = complaints(answer.status, answer.body)
                raise RemoteError(reason_of(answer.status), detail, status=answer.status, problems=problems)
            else:
                # None of them was taken. Who is named leaves alone; else halves find out who spoils it for the others.
                named = _named(said, skus) if answer.status != 413 else {}
                if not named and len(skus) == 1:
                    named = {skus[0]: said[0]}
                settled.update({sku: _refusal(sku, error, said) for sku, error in named.items()})
                rest = [sku for sku in skus if sku not in named]
                middle = len(rest) if named else len(rest) // 2
                waiting += [part for part in (rest[middle:], rest[:middle]) if part]
        return settled

    def quantities(self) -> Iterator[list[HeldQuantity]]:
        """Everything OTTO shows, 200 a page."""
        params: list[tuple[str, str]] = []
        cursors: set[str] = set()
        while True:
            body = self._get("list-quantities", PATH, params)
            resources = body.get("resources") if isinstance(body, Mapping) else None
            variations = resources.get("variations") if isinstance(resources, Mapping) else None
            if not isinstance(variations, list):
                raise RemoteError(Reason.BROKEN_ANSWER, "list-quantities: the answer holds no list")
            if page := [_held(each) for each in variations]:
                yield page
            cursor = next_link(body, "cursor")
            if cursor is None:
                return
            if cursor in cursors:
                raise RemoteError(Reason.BROKEN_ANSWER, "list-quantities: the pages repeat themselves")
            cursors.add(cursor)
            params = [("cursor", cursor)]

    def read_quantities(self, skus: Sequence[str]) -> dict[str, HeldQuantity]:
        """What OTTO shows for these; it knows a SKU only after a first quantity was sent."""
        found = {}
        for sku in dict.fromkeys(skus):
            try:
                found[sku] = _held(self._get("read-quantity", f"{PATH}/{quote(sku, safe='')}", []))
            except RemoteError as error:
                if error.reason is not Reason.NOT_FOUND:
                    raise
        return found

    def ping(self) -> None:
        """Raise RemoteError unless OTTO answers and accepts the credentials for availability."""
        self._get("ping", PATH, [("limit", "1")])


def _held(raw: Any) -> HeldQuantity:
    try:
        moment = datetime.fromisoformat(str(raw["lastModified"])) if raw.get("lastModified") else None
        changed_at = moment.astimezone(UTC) if moment and moment.tzinfo else None
        return HeldQuantity(str(raw["sku"]), int(raw["quantity"]), changed_at)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise RemoteError(Reason.BROKEN_ANSWER, "quantities: the answer holds no quantity") from None


def _accepted(body: Any) -> set[str]:
    results = body.get("results") if isinstance(body, Mapping) else None
    if not isinstance(results, list):
        raise RemoteError(Reason.BROKEN_ANSWER, "send-quantities: the answer names no results")
    return {str(each.get("sku")) for each in results if isinstance(each, Mapping)}


def _named(said: Sequence[Mapping[str, Any]], skus: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """Which SKU each error is about: the longest of them that its text holds, because ABC-1 begins ABC-1-XL as well."""
    found: dict[str, Mapping[str, Any]] = {}
    for error in said:
        text = f"{error.get('detail', '')} {error.get('title', '')}"
        within = [sku for sku in skus if sku and re.search(rf"(?<!\w){re.escape(sku)}(?!\w)", text)]
        if within:
            found.setdefault(max(within, key=len), error)
    return found


def _refusal(sku: str, error: Mapping[str, Any] | None, said: Sequence[Mapping[str, Any]]) -> Problem:
    """The problem of one SKU; where no error names it, the only one there is must mean it."""
    if error is None and len(said) == 1:
        error = said[0]
    if error is not None and str(error.get("code")) == "404":
        return Problem("sku-not-listed", "sku", {"sku": sku, "system": SYSTEM})
    detail = message(error) if error is not None else ""
    return Problem("quantity-refused", "quantity", {"sku": sku, "detail": detail, "system": SYSTEM})
