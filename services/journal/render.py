"""Renders the templates: everything escaped, a text for every language, addresses that keep the chosen language."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from itertools import islice
from typing import Any
from urllib.parse import unquote, urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.journal.icons import ICONS
from services.journal.language import Speaker
from services.journal.rooms import ROOMS, Room
from services.journal.sheets import SHEETS
from shared import moments
from shared.people.actor import Actor
from shared.records.compared import laid_out
from shared.status.light import worst
from shared.unseen import in_page

THEME_COOKIE = "connect_theme"

TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


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
        self._templates.filters["unquoted"] = unquote
        self._templates.globals["laid_out"] = laid_out
        self._templates.filters["items_first"] = lambda values, count: list(islice(values.items(), count))
        self._templates.filters["worst"] = worst
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

        def link_many(path: str, **query: Sequence[str]) -> str:
            """The same with words that stand several times."""
            lang = request.query_params.get("lang")
            said = urlencode({**({"lang": lang} if lang else {}), **query}, doseq=True)
            return path + (f"?{said}" if said else "")

        def link_to(address: str) -> str:
            """An address that has its query already."""
            lang = request.query_params.get("lang")
            return address + (f"{'&' if '?' in address else '?'}{urlencode({'lang': lang})}" if lang else "")

        page = self._templates.get_template(template).render(
            say=reader.say,
            language=language,
            actor=actor if isinstance(actor, Actor) else None,
            rooms=self._rooms(actor),
            theme=_theme(request),
            zone=zone.key,
            link=link,
            link_many=link_many,
            link_to=link_to,
            bytes=lambda count: moments.size(count, language),
            path=request.url.path,
            query=dict(request.query_params),
            now=now,
            day=lambda at: moments.day(at, zone, language),
            utc_day=lambda of: moments.utc_day(of, language),
            clock=lambda at, seconds=False: moments.clock(at, zone, seconds),
            relative=lambda at: moments.relative(at, now, language),
            seconds=lambda value: moments.seconds(value, language),
            span=lambda value: moments.length(value, language),
            short=lambda at: moments.short(at, now, zone, language),
            money=lambda amount, currency: moments.money(amount, currency, language),
            percent=lambda rate: moments.percent(rate, language),
            number=lambda value: moments.number(value, language),
            counted=lambda value: moments.number(value, language) + "+" * getattr(value, "capped", False),
            capped_number=lambda value, capped: moments.number(value, language) + "+" * capped,
            **values,
        )
        return HTMLResponse(in_page(page), status, headers=dict(headers or {}))

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
        known = status if status in (400, 403, 404, 405, 409, 413, 422, 429, 503) else 500
        return self.show(request, reader, "error.html", {"status": known}, status, headers)


def _theme(request: Request) -> str | None:
    chosen = request.cookies.get(THEME_COOKIE)
    return chosen if chosen in ("light", "dark") else None
