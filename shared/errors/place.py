"""Says a path into an event in plain words: `lines.0.tax_rate` is "line 1, tax rate" or "Position 1, Steuersatz".

The words are data (`entries/places.toml`); a name that is not listed is shown as it is, with blanks for underscores.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from shared.errors.entry import Language

WRAPPERS = ("data", "order")
"""Leading parts of a path that say nothing to a reader."""


@cache
def words() -> dict[str, dict[str, str]]:
    """Name of a field → language → its word."""
    text = (files("shared.errors") / "entries" / "places.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def place(path: str, language: Language) -> str:
    """The path in words; an empty path means the whole event."""
    parts = [part for part in path.split(".") if part] or ["event"]
    while len(parts) > 1 and parts[0] in WRAPPERS:
        parts.pop(0)
    said: list[str] = []
    for part in parts:
        if part.isdecimal() and said:
            said[-1] += f" {int(part) + 1}"
        else:
            said.append(words().get(part, {}).get(language, part.replace("_", " ")))
    return ", ".join(said)
