"""What people must know about each setting of a connector: name, what it is for, default, whether it is a secret.

Out of the settings model: the field's description, else its line in the model's docstring. For the command line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

OF_EVERY_SYSTEM: Mapping[str, str] = {
    "base_url": "address of the system, e.g. https://api.example.org",
    "user": "name of the user that Connect logs in as",
    "password": "of that user",
    "token": "access token, shown once when it is made",
    "api_key": "key of the API, shown once when it is made",
    "api_version": "version of the API that is called",
    "database": "name of the database there",
}
"""For settings that say nothing of themselves because every system has them."""

_LINE = re.compile(r"^(?P<names>\w+…?(?:, \w+…?)*):(?P<text>\s.*|)$")


@dataclass(frozen=True, slots=True)
class Fact:
    """One setting. default: as text, empty where there is none or it is empty."""

    name: str
    about: str
    required: bool
    secret: bool
    default: str

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "name": self.name,
            "about": self.about,
            "required": self.required,
            "secret": self.secret,
            "default": self.default,
        }


def facts(settings: type[BaseModel]) -> list[Fact]:
    """Every setting, in the order of the model."""
    lines = _documented(settings.__doc__ or "")
    return [
        Fact(
            name,
            field.description or _line(lines, name) or OF_EVERY_SYSTEM.get(name, ""),
            field.is_required(),
            is_secret(field),
            _default(field),
        )
        for name, field in settings.model_fields.items()
    ]


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting is sealed and never shown: its type is SecretStr, or SecretStr or nothing."""
    return field.annotation is SecretStr or SecretStr in get_args(field.annotation)


def wrong(settings: type[BaseModel], name: str, value: Any) -> str:
    """What is wrong with one value, whatever the others are; empty where nothing is."""
    try:
        settings.model_validate({name: value})
    except ValidationError as error:
        for one in error.errors(include_input=False, include_url=False, include_context=False):
            if one["loc"][:1] == (name,):
                return one["msg"].removeprefix("Value error, ")
    return ""


def unfit(settings: type[BaseModel], values: Mapping[str, Any]) -> str:
    """What is wrong with all values together, e.g. that one needs another; empty where nothing is."""
    try:
        settings.model_validate(dict(values))
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False, include_context=False)
        named = [(".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ")) for one in found]
        return "; ".join(f"{name}: {text}" if name else text for name, text in named)
    return ""


def _default(field: FieldInfo) -> str:
    value = None if field.is_required() else field.get_default(call_default_factory=True, validated_data={})
    if value is None or isinstance(value, SecretStr):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _documented(docstring: str) -> dict[str, str]:
    """`name: text` lines, with what follows them indented deeper."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in cleandoc(docstring).splitlines()[1:]:  # Python 3.13 takes the indentation away by itself
        if match := _LINE.match(line):
            names = match["names"].split(", ")
            found |= dict.fromkeys(names, match["text"].strip())
        elif line.strip() and names:
            for name in names:
                found[name] = f"{found[name]} {line.strip()}".strip()
        else:
            names = []
    return found


def _line(lines: Mapping[str, str], name: str) -> str:
    """The text of a name, or of a beginning such as `ship_from_…`."""
    return lines.get(name) or next(
        (text for key, text in lines.items() if key.endswith("…") and name.startswith(key[:-1])), ""
    )
