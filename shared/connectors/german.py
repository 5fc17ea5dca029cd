"""What a connector's settings and mappings are for, in German. English stands in the code, see `facts`.

`german.toml` in the connector's folder: `[settings]` by name, `[mappings]` by kind, or by kind and source with a colon.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from shared.connectors.contract import Connector, MappingNeed

OF_EVERY_SYSTEM = {
    "base_url": "Adresse des Systems, z. B. https://api.example.org",
    "user": "Name des Benutzers, mit dem Connect sich anmeldet",
    "password": "Passwort dieses Benutzers",
    "token": "Zugangs-Token, wird beim Anlegen einmal gezeigt",
    "api_key": "Schlüssel der API, wird beim Anlegen einmal gezeigt",
    "api_version": "Version der API, die aufgerufen wird",
    "database": "Name der Datenbank dort",
}
"""For settings that every system has."""


def of_setting(connector: Connector, name: str) -> str:
    """What a setting is for; empty where nobody said it."""
    return _words(connector.folder)["settings"].get(name) or OF_EVERY_SYSTEM.get(name, "")


def of_need(connector: Connector, need: MappingNeed) -> str:
    """What a mapping is for; empty where nobody said it."""
    words = _words(connector.folder)["mappings"]
    return words.get(f"{need.kind}:{need.source}" if need.source else need.kind, "")


@cache
def _words(folder: Path) -> dict[str, dict[str, str]]:
    file = folder / "german.toml"
    said = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return {"settings": said.get("settings", {}), "mappings": said.get("mappings", {})}
