"""Finds the connectors: every folder beside this file whose package has a constant `CONNECTOR`.

There is no list to extend. Called once at start by whoever wires a service; the result is passed on as an argument.
"""

from __future__ import annotations

import importlib
import pkgutil

import shared.connectors
from shared.connectors.contract import Connector


def discover() -> dict[str, Connector]:
    """All connectors by key, sorted. A folder without a manifest, or with another key than its name, raises."""
    found: dict[str, Connector] = {}
    for module in sorted(pkgutil.iter_modules(shared.connectors.__path__), key=lambda item: item.name):
        if not module.ispkg:
            continue
        connector = getattr(importlib.import_module(f"shared.connectors.{module.name}"), "CONNECTOR", None)
        if not isinstance(connector, Connector) or connector.key != module.name:
            raise TypeError(f"shared/connectors/{module.name} must define CONNECTOR with key {module.name!r}")
        found[connector.key] = connector
    return found


def titles() -> dict[str, str]:
    """What each system is called, by key."""
    return {key: connector.title for key, connector in discover().items()}
