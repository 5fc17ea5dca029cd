"""Which language and clock a page speaks: `?lang=`, else the user's, else what the browser prefers, else English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from tomllib import loads
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request

from shared.errors.entry import Language
from shared.people.actor import Actor

LANGUAGES: tuple[Language, ...] = ("de", "en")


@cache
def texts(language: Language) -> Mapping[str, str]:
    """Every text of the pages by name, e.g. `orders.title`."""
    flat: dict[str, str] = {}
    for file in (files("services.journal") / "texts" / language).iterdir():
        _flatten("", loads(file.read_text(encoding="utf-8")), flat)
    return flat


@dataclass(frozen=True, slots=True)
class Speaker:
    """One reader's language and time zone (None: the installation's)."""

    language: Language
    zone: ZoneInfo | None = None

    def say(self, name: str, /, **values: Any) -> str:
        """A text with its values; not escaped, the template does that. Raises KeyError for a name nobody wrote.

        Of a single one the text `<name>_one` speaks, where there is one: `count` says how many.
        """
        known = texts(self.language)
        text = known.get(f"{name}_one", known[name]) if values.get("count") in (1, "1") else known[name]
        return text.format(**values) if values else text


def speaker(request: Request) -> Speaker:
    """Who reads the answer to this request."""
    actor = getattr(request.state, "actor", None)
    user = actor if isinstance(actor, Actor) else None
    zone = ZoneInfo(user.time_zone) if user and user.time_zone else None
    asked = request.query_params.get("lang")
    for language in LANGUAGES:
        if asked == language or (asked not in LANGUAGES and user is not None and user.language == language):
            return Speaker(language, zone)
    return Speaker(preferred(request.headers.get("accept-language", "")), zone)


def preferred(header: str) -> Language:
    """The best of our languages for an Accept-Language header."""
    best: tuple[float, Language] = (0.0, "en")
    for part in header[:500].split(","):
        name, _, weight = part.strip().partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            continue
        for language in LANGUAGES:
            if name.lower().split("-")[0] == language and quality > best[0]:
                best = (quality, language)
    return best[1]


def _flatten(prefix: str, table: Mapping[str, Any], into: dict[str, str]) -> None:
    for name, value in table.items():
        if isinstance(value, Mapping):
            _flatten(f"{prefix}{name}.", value, into)
        else:
            into[prefix + name] = value
