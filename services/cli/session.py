"""What every command shares: language, time zone, the settings, and the way to the database and the broker.

Settings come from the environment. Where no database is named there, those of a running `connect up` are taken.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from services.cli.trouble import USAGE, Trouble
from shared.db.connect import Connection, connect
from shared.errors.entry import Language
from shared.records.filter import Filter, parse
from shared.records.interfaces import modes
from shared.seal import Seal
from shared.settings import PREFIX, Settings, load

UP_FILE = "up.json"
SECRET_FILE = "secret-key"  # noqa: S105 - a file's name


@dataclass
class Session:
    """One run of `connect`. here: the current folder."""

    environment: Mapping[str, str]
    language: Language
    here: Path

    @cached_property
    def own(self) -> Settings:
        """The settings as the environment has them. Raises SettingsError."""
        return load(self.environment)

    @cached_property
    def running(self) -> dict[str, Any] | None:
        """What a `connect up` wrote that runs with our data folder or in the current one, None without."""
        for folder in (self.own.data_dir, self.here / ".connect"):
            try:
                found = json.loads((folder / UP_FILE).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if isinstance(found, dict):
                return {**found, "folder": str(folder)}
        return None

    @cached_property
    def settings(self) -> Settings:
        """The settings, completed by a running `connect up` where no database is named."""
        if self.own.database_url is not None or self.running is None:
            return self.own
        names = {
            "DATABASE_URL": "database_url",
            "AMQP_URL": "amqp_url",
            "BASE_URL": "journal",
            "ALLOWED_NETWORKS": "allowed_networks",
        }
        found = {name: self.running.get(field) for name, field in names.items()}
        secret = Path(self.running["folder"]) / SECRET_FILE
        if secret.is_file() and self.own.secret_key is None:
            found["SECRET_KEY"] = secret.read_text(encoding="utf-8").strip()
        borrowed = {PREFIX + name: value for name, value in found.items() if value}
        return load({**borrowed, **{name: value for name, value in self.environment.items() if value}})

    @contextmanager
    def database(self, statement_timeout: float = 60.0) -> Iterator[Connection]:
        """A connection, closed at the end. Raises SettingsError or psycopg.OperationalError."""
        with connect(self.settings.database(), "connect-cli", statement_timeout=statement_timeout) as conn:
            yield conn

    @property
    def seal(self) -> Seal:
        """Opens and closes credentials. Raises SettingsError."""
        return Seal(self.settings.secret())

    @property
    def zone(self) -> ZoneInfo:
        """The installation's time zone."""
        return ZoneInfo(self.settings.time_zone)

    @property
    def actor(self) -> str:
        """Who history and audit say it was."""
        try:
            return f"cli:{getpass.getuser()}"
        except (KeyError, OSError):
            return "cli"

    def filter(self, conn: Connection, text: str, interface: str | None = None) -> Filter:
        """A filter, with a given interface as one more term. Raises FilterError."""
        more = f" interface:{interface}" if interface else ""
        return parse(text + more, self.zone, modes(conn).keys())

    def known_interface(self, conn: Connection, slug: str) -> str:
        """The slug, or Trouble that names those there are."""
        known = modes(conn)
        if slug not in known:
            there = f"there are {', '.join(sorted(known))}" if known else "there are none, add one"
            raise Trouble(f"There is no interface “{slug}”: {there} (`connect interfaces list`).", USAGE)
        return slug

    def moment(self, at: datetime | None) -> str:
        """A time on the installation's clock, as the language writes it."""
        if at is None:
            return "–"
        pattern = "%d.%m.%Y %H:%M:%S" if self.language == "de" else "%Y-%m-%d %H:%M:%S"
        return at.astimezone(self.zone).strftime(pattern)


def language_of(environment: Mapping[str, str]) -> Language:
    """German where the environment says so, else English."""
    said = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return "de" if said.lower().startswith("de") else "en"
