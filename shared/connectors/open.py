"""Opens one side of an interface: settings checked, HTTP client, capability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from shared.connectors.contract import CallContext, Connector, OrderSink, OrderSource
from shared.connectors.http import Http


def _settings(connector: Connector, values: Mapping[str, Any]) -> Any:
    try:
        return connector.settings.model_validate(dict(values))
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False, include_context=False)
        )
        raise ValueError(f"the settings for {connector.title} do not fit: {wrong}") from None


def open_source(
    connector: Connector, values: Mapping[str, Any], context: CallContext, deadline: float
) -> tuple[OrderSource, Http]:
    """The marketplace side. Raises ValueError when the settings do not fit or it has no orders."""
    settings = _settings(connector, values)
    if connector.source is None:
        raise ValueError(f"{connector.title} is not a marketplace that orders come from")
    http = Http.open(settings.base_url, context, deadline)
    return connector.source(settings, http), http


def open_sink(
    connector: Connector, values: Mapping[str, Any], context: CallContext, deadline: float
) -> tuple[OrderSink, Http]:
    """The ERP side. Raises ValueError when the settings do not fit or orders cannot be created there."""
    settings = _settings(connector, values)
    if connector.sink is None:
        raise ValueError(f"{connector.title} is not an ERP that orders can be created in")
    http = Http.open(settings.base_url, context, deadline)
    return connector.sink(settings, http), http
