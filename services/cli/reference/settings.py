"""`docs/reference/settings.md`: every setting with its form, default and meaning, from `shared/settings.py`. Pure."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import SecretStr, UrlConstraints
from pydantic.fields import FieldInfo
from pydantic_core import MultiHostUrl, Url

from shared.settings import PORTS, PREFIX, Settings

HEAD = """\
# Settings

Generated from `shared/settings.py`; write it again with `make generate`. All come from the environment. A secret
may be given as a file: the same name with `_FILE` behind it. An empty value counts as unset; a wrong one stops the
start with one message that names all. `connect config show` prints what is in effect, secrets masked. What they are
for, in context, is in [operations](../operations.md#settings).

| setting | form | default | meaning |
|---|---|---|---|
"""
UNSET = "–"


def markdown() -> str:
    """The page."""
    rows = [_row(name, field) for name, field in Settings.model_fields.items()]
    ports = ", ".join(f"{service} {port}" for service, port in PORTS.items())
    return HEAD + "".join(rows) + f"\nWithout `{PREFIX}METRICS_PORT` each service has its own: {ports}.\n"


def _row(name: str, field: FieldInfo) -> str:
    meaning = (field.description or "").replace("|", "\\|")
    return f"| `{PREFIX}{name.upper()}` | {_form(field)} | {_default(name, field)} | {meaning} |\n"


def _default(name: str, field: FieldInfo) -> str:
    if name == "data_dir":
        return "`~/.local/share/connect`"  # of this machine's user otherwise
    value = field.get_default(call_default_factory=True, validated_data={})
    text = f"{value:g}" if isinstance(value, float) else str(value).rstrip("/")
    return UNSET if value in (None, "") else f"`{text}`"


def _form(field: FieldInfo) -> str:
    kind, more = _plain(field.annotation), [*field.metadata, *_inner(field.annotation)]
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind) if value)
    schemes = next((one.allowed_schemes for one in more if isinstance(one, UrlConstraints)), None)
    if schemes:
        return ", ".join(f"`{scheme}://…`" for scheme in schemes)
    words = {
        SecretStr: "secret", int: "whole number", float: "number", str: "text", Path: "folder", Url: "address",
        MultiHostUrl: "address",
    }  # fmt: skip
    return words.get(kind, "text") + _bounds(more)


def _plain(annotation: Any) -> Any:
    """The type without `| None` and `Annotated`."""
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(one for one in get_args(annotation) if one is not type(None))
    return annotation.__origin__ if hasattr(annotation, "__metadata__") else annotation


def _inner(annotation: Any) -> list[Any]:
    found = list(getattr(annotation, "__metadata__", ()))
    for one in get_args(annotation):
        found += _inner(one)
    return found


def _bounds(more: list[Any]) -> str:
    low = next((_number(one.ge) for one in more if isinstance(one, Ge)), None)
    above = next((_number(one.gt) for one in more if isinstance(one, Gt)), None)
    high = next((_number(one.le) for one in more if isinstance(one, Le)), None)
    below = next((_number(one.lt) for one in more if isinstance(one, Lt)), None)
    words = [f"from {low}" if low else f"above {above}" if above else "", f"to {high}" if high else ""]
    words.append(f"below {below}" if below else "")
    said = " ".join(filter(None, words))
    return f", {said}" if said else ""


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
