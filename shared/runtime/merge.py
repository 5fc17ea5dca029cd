"""Merges copies of an `order-changed` event: the newest says the status, the shipments of all of them count. Pure."""

from __future__ import annotations

import json
from typing import Any


def merge_changes(staged: bytes, other: bytes, newer: bool) -> bytes | None:
    """The copy to stage, given the staged one and another; None when the staged one says it all.

    newer: whether the other one is. Both are events that were taken in, so they are what the contract says. A shipment
    that both name keeps what the newer one says of it, filled up with what only the older one knows.
    """
    old, new = json.loads(staged), json.loads(other)
    base, late = (new, old) if newer else (old, new)
    merged = _shipments(base["data"].get("shipments") or [], late["data"].get("shipments") or [])
    if not newer and merged == (base["data"].get("shipments") or []):
        return None
    return json.dumps({**base, "data": {**base["data"], "shipments": merged}}, ensure_ascii=False).encode()


def _shipments(newer: list[dict[str, Any]], older: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By id, the older ones first, as they were sent."""
    known = {one["id"]: one for one in older}
    for one in newer:
        said = {name: value for name, value in one.items() if value not in (None, [], "")}
        known[one["id"]] = {**known.get(one["id"], {}), **said}
    return list(known.values())
