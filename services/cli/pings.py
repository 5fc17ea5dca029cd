"""Asks both remote systems of an interface whether they answer and accept us. Called by `doctor` and `interfaces`."""

from __future__ import annotations

from typing import Any

from shared.connectors.contract import OwnTokens, RemoteError
from shared.connectors.open import open_sink, open_source
from shared.connectors.registry import discover
from shared.errors.catalogue import explain
from shared.errors.entry import Language
from shared.errors.problem import Problem
from shared.records.interfaces import Interface

DEADLINE = 10.0


class NoContext:
    """A `CallContext` for one call by hand: no rate limit, no metrics, a token of its own."""

    def __init__(self) -> None:
        self.tokens = OwnTokens()

    def before_call(self, operation: str) -> None:
        """Nothing is waited for."""

    def before_send(self) -> None:
        """Nothing is kept back."""

    def after_call(self, operation: str, code: str, seconds: float) -> None:
        """Nothing is counted."""


def ping(interface: Interface, language: Language = "en") -> dict[str, dict[str, Any]]:
    """Per side: {"system", "ok", "problem", "fix"}; never raises for a remote system or wrong settings."""
    return {side: _ping(interface, side, language) for side in ("marketplace", "erp")}


def _ping(interface: Interface, name: str, language: Language) -> dict[str, Any]:
    key = interface.marketplace if name == "marketplace" else interface.erp
    connector = discover().get(key)
    answer: dict[str, Any] = {
        "system": connector.title if connector else key,
        "ok": False,
        "problem": None,
        "fix": None,
    }
    if connector is None or name not in interface.sides:
        return {
            **answer,
            "problem": f"The {name} side is not set up.",
            "fix": "Add the interface anew, with both sides.",
        }
    side = interface.sides[name]
    settings = {**side.settings, **side.secrets}
    try:
        opened, http = (open_source if name == "marketplace" else open_sink)(connector, settings, NoContext(), DEADLINE)
        try:
            opened.ping()
        finally:
            http.close()
    except RemoteError as error:
        said = explain(Problem(str(error.reason), values={"system": connector.title, "detail": error.detail}), language)
        return {**answer, "problem": f"{said.title} {said.cause}", "fix": " ".join(said.steps)}
    except ValueError as error:
        first = str(error).splitlines()[0]
        return {**answer, "problem": f"Its settings do not fit: {first}", "fix": "Correct them and add it again."}
    return {**answer, "ok": True}
