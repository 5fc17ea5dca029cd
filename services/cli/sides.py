"""One side of an interface out of a TOML table: checked by its connector, secrets told apart. For `interfaces`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from services.cli.trouble import USAGE, Trouble
from shared.connectors.contract import Connector
from shared.records.interfaces import NewSide

OURS = ("connector", "calls_per_second", "calls_at_once")


def new_side(name: str, table: Any, connectors: Mapping[str, Connector]) -> NewSide:
    """The side to store. Raises Trouble that names every wrong setting."""
    if not isinstance(table, dict) or table.get("connector") not in connectors:
        raise Trouble(f"[{name}] must name its connector: one of {', '.join(connectors)}.", USAGE)
    connector = connectors[table["connector"]]
    if (connector.source if name == "marketplace" else connector.sink) is None:
        raise Trouble(f"{connector.title} cannot be the {name} of an interface.", USAGE)
    values = {key: value for key, value in table.items() if key not in OURS}
    try:
        connector.settings.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False)
        )
        raise Trouble(f"[{name}] does not fit {connector.title}: {wrong}.", USAGE) from None
    secret = {key for key, field in connector.settings.model_fields.items() if _is_secret(field)}
    return NewSide(
        {key: value for key, value in values.items() if key not in secret},
        {key: str(value) for key, value in values.items() if key in secret},
        float(table.get("calls_per_second", connector.rate_limit)),
        int(table.get("calls_at_once", 8)),
    )


def described(connector: Connector) -> dict[str, Any]:
    """What a system is called, which sides it can be, and its settings: name, required, secret."""
    sides = {"marketplace": connector.source, "erp": connector.sink}
    return {
        "connector": connector.key,
        "title": connector.title,
        "sides": [side for side, capability in sides.items() if capability is not None],
        "calls_per_second": connector.rate_limit,
        "settings": [
            {"name": name, "required": field.is_required(), "secret": _is_secret(field)}
            for name, field in connector.settings.model_fields.items()
        ],
    }


def _is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr or SecretStr in get_args(field.annotation)
