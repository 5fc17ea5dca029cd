"""Tests the connections of both sides of an interface. Called by `doctor` and `interfaces`."""

from __future__ import annotations

from typing import Any

from shared.connectors.connection import examine
from shared.connectors.registry import discover
from shared.errors.entry import Language
from shared.networks import Networks
from shared.records.interfaces import Interface

ABSENT: dict[Language, tuple[str, str]] = {
    "de": ("Diese Seite ist nicht eingerichtet.", "Richten Sie die Schnittstelle mit beiden Seiten ein."),
    "en": ("This side is not set up.", "Set the interface up with both sides."),
}


def ping(interface: Interface, networks: Networks, language: Language = "en") -> dict[str, dict[str, Any]]:
    """Per side what `connection.examine` answers; never raises for a remote system or wrong settings."""
    return {side: _ping(interface, side, networks, language) for side in ("marketplace", "erp")}


def _ping(interface: Interface, name: str, networks: Networks, language: Language) -> dict[str, Any]:
    key = interface.marketplace if name == "marketplace" else interface.erp
    connector = discover().get(key)
    if connector is None or name not in interface.sides:
        problem, fix = ABSENT[language]
        return {"system": key, "ok": False, "code": None, "problem": problem, "fix": fix, "checks": []}
    side = interface.sides[name]
    return examine(connector, name, {**side.settings, **side.secrets}, networks, language)
