"""Xentral's problem documents as problems: which field, what it says, and whether it means an unknown product.

A violation mirrors the payload with messages in place of the wrong values: lists or objects with numbers as keys, and
in newer versions flat paths with dots. Other documents carry bare messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from shared.connectors.worded import place
from shared.errors.problem import Problem

_PRODUCT = re.compile(r"^positions\.(\d+)\.product(\.id)?$")

MOST = 50
"""Problems named at most; an answer can be as long as it likes."""


def complaints(body: Any, document: Mapping[str, Any] | None = None) -> list[Problem]:
    """What a 4xx complains about. `document` still holds SKUs, so that an unknown product is named by its SKU."""
    found: list[Problem] = []
    if isinstance(body, Mapping):
        for field, message in islice(_messages(body), MOST):
            problem = _problem(field, message, document)
            if problem not in found:
                found.append(problem)
    return found


def _messages(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("violations", "messages"):
        yield from _leaves(body.get(name), ())
    items = body.get("items")
    for item in items if isinstance(items, list) else ():
        if isinstance(item, Mapping):
            yield from _leaves(item.get("messages"), ())


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """(path, message) for each message. A list of texts belongs to its parent; other lists count their entries."""
    if isinstance(value, str):
        yield ".".join(path), value[:300]
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _leaves(each, path if isinstance(each, str) else (*path, str(number)))
    elif isinstance(value, Mapping) and len(path) < 20:
        for name, each in value.items():
            # "_" stands for the whole that holds it.
            yield from _leaves(each, path if name == "_" else (*path, str(name)))


def _problem(field: str, message: str, document: Mapping[str, Any] | None) -> Problem:
    product = _PRODUCT.match(field)
    if product and document:
        number = int(product[1])
        positions = document.get("positions", [])
        if number < len(positions):
            sku = positions[number]["product"]["sku"]
            return Problem("sku-unknown", f"lines.{number}.sku", {"sku": sku}, f"sku:{sku}")
    return Problem("remote-refused", place(field), {"message": message, "detail": message, "system": "Xentral"})
