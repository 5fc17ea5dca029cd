"""The stand-in's lists: filtered, sorted and cut by the options that Vendure makes for each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.connectors.vendure.sandbox_graphql import Invalid, Refused

Raw = dict[str, Any]
MOST = 1000
"""The real one's `adminListQueryLimit`."""

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, given: bool(value == given),
    "notEq": lambda value, given: bool(value != given),
    "in": lambda value, given: value in given,
    "notIn": lambda value, given: value not in given,
    "isNull": lambda value, given: (value is None) == given,
    # Times are texts of one form, so they compare as they are. Nothing is later than what there is not.
    "after": lambda value, given: value is not None and value > given,
    "before": lambda value, given: value is not None and value < given,
}


def listed(items: Sequence[Raw], options: Mapping[str, Any] | None, shown: Callable[[Raw], Raw]) -> Raw:
    """A `PaginatedList` of the items."""
    options = options or {}
    take = options.get("take")
    if take is not None and take > MOST:
        raise Refused("USER_INPUT_ERROR", f"Cannot take more than {MOST} results from a list query")
    found = [item for item in items if _fits(item, options.get("filter") or {})]
    for name, order in reversed(list((options.get("sort") or {}).items())):
        found.sort(key=lambda item, name=name: _sortable(name, item), reverse=order == "DESC")  # type: ignore[misc]
    skip = options.get("skip") or 0
    part = found[skip : skip + (MOST if take is None else take)]
    return {"items": [shown(item) for item in part], "totalItems": len(found)}


def _fits(item: Raw, wanted: Mapping[str, Any]) -> bool:
    return all(_one_fits(item, name, condition) for name, condition in wanted.items())


def _one_fits(item: Raw, name: str, condition: Any) -> bool:
    if name == "_and":
        return all(_fits(item, each) for each in condition)
    if name == "_or":
        return any(_fits(item, each) for each in condition)
    if name not in item:
        raise Invalid(f'Field "{name}" is not defined by the filter.')
    for operator, given in condition.items():
        if operator not in _OPERATORS:
            raise Invalid(f'Field "{operator}" is not defined by the operators.')
        if not _OPERATORS[operator](item[name], given):
            return False
    return True


def _sortable(name: str, item: Raw) -> Any:
    return int(item[name]) if name == "id" else item[name] or ""
