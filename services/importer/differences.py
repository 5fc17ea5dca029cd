"""Names the fields in which two versions of an order differ, for people. Pure. No values: they may be personal."""

from __future__ import annotations

from typing import Any

from shared.events.orders import Order

BOOKKEEPING = frozenset({"version", "changed_at"})


def changed_fields(before: Order, after: Order) -> list[str]:
    """Paths such as `shipping_address.street` or `lines.1.quantity`, sorted; what only counts changes is left out."""
    old, new = before.model_dump(exclude=set(BOOKKEEPING)), after.model_dump(exclude=set(BOOKKEEPING))
    return sorted(_paths(old, new, ""))


def _paths(old: Any, new: Any, path: str) -> list[str]:
    if old == new:
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            p for name in {**old, **new} for p in _paths(old.get(name), new.get(name), f"{path}.{name}".lstrip("."))
        ]
    if isinstance(old, list | tuple) and isinstance(new, list | tuple) and len(old) == len(new):
        return [p for n, pair in enumerate(zip(old, new, strict=True)) for p in _paths(*pair, f"{path}.{n}")]
    return [path]
