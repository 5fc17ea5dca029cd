"""One side of an interface out of a TOML table: checked by its connector, secrets told apart. For `interfaces`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from services.cli.trouble import USAGE, Trouble
from shared.connectors.contract import Connector
from shared.connectors.facts import facts
from shared.records.interfaces import NewSide

OURS = ("connector", "calls_per_second", "calls_at_once")
MOST_AT_ONCE = 64


def connector_of(name: str, table: Any, connectors: Mapping[str, Connector]) -> Connector:
    """The connector that a side's table names. Raises Trouble."""
    if not isinstance(table, dict) or table.get("connector") not in connectors:
        said = table.get("connector") if isinstance(table, dict) else None
        hint = f" There is no “{said}”{_like(str(said), connectors)}." if said else ""
        raise Trouble(f"[{name}] must name its connector: one of {', '.join(connectors)}.{hint}", USAGE)
    connector = connectors[table["connector"]]
    if (connector.source if name == "marketplace" else connector.sink) is None:
        raise Trouble(f"{connector.title} cannot be the {name} of an interface.", USAGE)
    return connector


def new_side(name: str, table: Any, connectors: Mapping[str, Connector]) -> NewSide:
    """The side to store. Raises Trouble that names every wrong setting."""
    connector = connector_of(name, table, connectors)
    values = {key: value for key, value in table.items() if key not in OURS}
    refuse_unknown(f"[{name}]", values, [*connector.settings.model_fields, *OURS])
    try:
        connector.settings.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False)
        )
        raise Trouble(f"[{name}] does not fit {connector.title}: {wrong}.", USAGE) from None
    secret = {fact.name for fact in facts(connector.settings) if fact.secret}
    return NewSide(
        {key: value for key, value in values.items() if key not in secret},
        {key: str(value) for key, value in values.items() if key in secret},
        _rate(name, table.get("calls_per_second", connector.rate_limit)),
        _at_once(name, table.get("calls_at_once", 8)),
    )


def refuse_unknown(where: str, given: Collection[str], known: Collection[str]) -> None:
    """Raise Trouble that names every unknown name, with the one that was probably meant."""
    unknown = [f"“{name}”{_like(name, known)}" for name in given if name not in known]
    if unknown:
        raise Trouble(f"{where} knows no {', no '.join(unknown)}. `connect interfaces systems` lists all.", USAGE)


def _like(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name.lower(), list(known), 1, 0.6)
    return f" (did you mean {close[0]}?)" if close else ""


def _rate(name: str, value: Any) -> float:
    try:
        rate = float(value)
    except (TypeError, ValueError):
        rate = 0.0
    if not 0 < rate < 1e6:
        raise Trouble(f"[{name}] calls_per_second must be a number above 0, e.g. 1.6.", USAGE)
    return rate


def _at_once(name: str, value: Any) -> int:
    try:
        many = int(value)
    except (TypeError, ValueError):
        many = 0
    if not 1 <= many <= MOST_AT_ONCE:
        raise Trouble(f"[{name}] calls_at_once must be a whole number from 1 to {MOST_AT_ONCE}.", USAGE)
    return many


def described(connector: Connector) -> dict[str, Any]:
    """What a system is called, which sides it can be, and its settings: name, about, required, secret, default."""
    sides = {"marketplace": connector.source, "erp": connector.sink}
    return {
        "connector": connector.key,
        "title": connector.title,
        "sides": [side for side, capability in sides.items() if capability is not None],
        "calls_per_second": connector.rate_limit,
        "settings": [fact.as_json() for fact in facts(connector.settings)],
        "mappings": [
            {"kind": need.kind, "source": need.source, "about": need.about, "always": need.always}
            for need in connector.mappings
        ],
    }
