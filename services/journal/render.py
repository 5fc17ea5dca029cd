"""Renders the templates: everything escaped, a text for every language, addresses that keep the chosen language."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from itertools import islice
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.journal import moments
from services.journal.language import Speaker
from services.journal.rooms import ROOMS, Room
from shared.people.actor import Actor

SHEETS = ("tokens", "page", "head", "controls", "states", "table", "list", "record", "runs", "phone", "print")
"""The parts of the style sheet in `static/css`, in the order in which they are served as one."""

THEME_COOKIE = "connect_theme"

TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
ICONS = {
    "failed": "M5 1.6h6L14.4 5v6L11 14.4H5L1.6 11V5zM5.8 5.8l4.4 4.4m0-4.4-4.4 4.4",
    "waiting": "M4 1.8h8M4 14.2h8M5 1.8v2.6L8 8l3-3.6V1.8M5 14.2v-2.6L8 8l3 3.6v2.6",
    "warning": "M8 2 15 14H1zM8 6.4v3.4M8 11.8v.2",
    "pending": "M8 1.7a6.3 6.3 0 1 1 0 12.6A6.3 6.3 0 0 1 8 1.7zM8 4.6V8l2.3 1.5",
    "running": "M13.6 6A6 6 0 1 0 14 8.6M14 2.6V6h-3.4",
    "done": "M8 1.7a6.3 6.3 0 1 1 0 12.6A6.3 6.3 0 0 1 8 1.7zM5.2 8.2l2 2 3.7-4",
    "skipped": "M2 4l4 4-4 4M8 4l4 4-4 4M14 4v8",
    "never": "M8 1.7a6.3 6.3 0 1 1 0 12.6A6.3 6.3 0 0 1 8 1.7z",
    "retry": "M2.4 6a6 6 0 1 1-.4 2.6M2 2.6V6h3.4",
    "search": "M7 2a5 5 0 1 1 0 10A5 5 0 0 1 7 2zM10.8 10.8 14 14",
    "accepted": "M3 8.6l3.2 3.2L13 4.8",
    "confirmed": "M1.4 8.6l3 3L10.6 5M7 10.4l1.2 1.2L14.6 5",
    "export": "M8 10.2V2M4.8 5 8 1.8 11.2 5M2.4 13.6h11.2",
    "sync": "M2.4 6.4h9.4L9 3.6M13.6 9.6H4.2L7 12.4",
    "down": "M4 6.2 8 10l4-3.8",
    "enter": "M13 4v4.5H4M7 5.5l-3 3 3 3",
    "left": "M10 3.5 5.5 8l4.5 4.5",
    "right": "M6 3.5 10.5 8 6 12.5",
    "menu": "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
    "close": "M4 4l8 8M12 4l-8 8",
    "calendar": "M3 3h10l1 1v9l-1 1H3l-1-1V4zM2 6.5h12M5.2 1.6v2.6M10.8 1.6v2.6",
    "lines": "M2.5 4h11M4.5 8h7M6.5 12h3",
    "ignore": "M8 1.7a6.3 6.3 0 1 1 0 12.6A6.3 6.3 0 0 1 8 1.7zM3.6 3.6l8.8 8.8",
    "plus": "M8 3v10M3 8h10",
    "pause": "M5.5 3.5v9M10.5 3.5v9",
    "import": "M8 2v8M4.8 7 8 10.2 11.2 7M2.4 13.6h11.2",
}


class Pages:
    """The templates of one process, read once."""

    def __init__(self, zone: ZoneInfo, titles: Mapping[str, str]) -> None:
        root = files("services.journal")
        self._zone = zone
        self.paths: frozenset[str] = frozenset()  # of the pages there are; `create_app` says so at its end
        self.static = {file.name: file.read_bytes() for file in (root / "static").iterdir() if file.is_file()}
        self.static["journal.css"] = b"".join((root / "static" / "css" / f"{name}.css").read_bytes() for name in SHEETS)
        self._stamp = hashlib.sha256(b"".join(self.static[name] for name in sorted(self.static))).hexdigest()[:12]
        self._templates = Environment(
            loader=FileSystemLoader(str(root / "templates")),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals["pretty"] = lambda value: json.dumps(value, ensure_ascii=False, indent=2)
        self._templates.filters["items_first"] = lambda values, count: list(islice(values.items(), count))
        self._templates.filters["dict_with"] = lambda query, **more: {**query, **more}
        self._templates.globals.update(
            icons=ICONS, static=self.address_of, title_of=lambda key: titles.get(key or "", (key or "?").title())
        )

    def address_of(self, name: str) -> str:
        """The address of a static file; it changes with their content, so browsers may keep it for ever. Scripts import
        each other by name, so the stamp stands in the path."""
        return f"/static/{self._stamp}/{name}"

    def show(
        self,
        request: Request,
        reader: Speaker,
        template: str,
        values: Mapping[str, Any],
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """A page."""
        zone, now, language = reader.zone or self._zone, datetime.now(UTC), reader.language
        actor = getattr(request.state, "actor", None)

        def link(path: str, **query: str | int | None) -> str:
            """An address with its query; keeps `lang` where the reader chose it there."""
            chosen = {"lang": request.query_params.get("lang"), **query}
            said = {name: str(value) for name, value in chosen.items() if value not in (None, "")}
            return path + (f"?{urlencode(said)}" if said else "")

        page = self._templates.get_template(template).render(
            say=reader.say,
            language=language,
            actor=actor if isinstance(actor, Actor) else None,
            rooms=self._rooms(actor),
            theme=_theme(request),
            zone=zone.key,
            link=link,
            path=request.url.path,
            query=dict(request.query_params),
            now=now,
            day=lambda at: moments.day(at, zone, language),
            clock=lambda at, seconds=False: moments.clock(at, zone, seconds),
            relative=lambda at: moments.relative(at, now, language),
            seconds=lambda value: moments.seconds(value, language),
            money=lambda amount, currency: moments.money(amount, currency, language),
            number=lambda value: moments.number(value, language),
            counted=lambda value: moments.number(value, language) + "+" * getattr(value, "capped", False),
            capped_number=lambda value, capped: moments.number(value, language) + "+" * capped,
            **values,
        )
        return HTMLResponse(page, status, headers=dict(headers or {}))

    def _rooms(self, actor: object) -> list[Room]:
        return [
            room
            for room in ROOMS
            if room.path in self.paths and isinstance(actor, Actor) and actor.at_least(room.least)
        ]

    def error(
        self, request: Request, reader: Speaker, status: int, headers: Mapping[str, str] | None = None
    ) -> Response:
        """A page that says what went wrong, and the way back."""
        known = status if status in (400, 403, 404, 405, 409, 413, 422, 503) else 500
        return self.show(request, reader, "error.html", {"status": known}, status, headers)


def _theme(request: Request) -> str | None:
    chosen = request.cookies.get(THEME_COOKIE)
    return chosen if chosen in ("light", "dark") else None
