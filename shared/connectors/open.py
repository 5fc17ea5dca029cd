"""Opens one capability of an interface's side: settings checked, HTTP client, capability.

Every function raises ValueError when the settings do not fit or the system cannot do it.
networks: the private addresses that may be called; without them public ones only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import SecretStr, ValidationError

from shared.connectors.contract import (
    CallContext,
    Connector,
    OrderSink,
    OrderSource,
    StatusSink,
    StatusSource,
    StockSink,
    StockSource,
    Webhooks,
    WebhookSetup,
)
from shared.connectors.http import Http
from shared.connectors.unexpected import careful
from shared.networks import Networks

Capability = TypeVar("Capability")
Opened = tuple[Capability, Http]


def _settings(connector: Connector, values: Mapping[str, Any]) -> Any:
    try:
        return connector.settings.model_validate(dict(values))
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False, include_context=False)
        )
        raise ValueError(f"the settings for {connector.title} do not fit: {wrong}") from None


def _open(
    connector: Connector,
    build: Callable[[Any, Http], Capability] | None,
    lacks: str,
    values: Mapping[str, Any],
    context: CallContext,
    deadline: float,
    networks: Networks | None,
) -> Opened[Capability]:
    settings = _settings(connector, values)
    if build is None:
        raise ValueError(f"{connector.title} is not {lacks}")
    secrets = [one.get_secret_value() for one in vars(settings).values() if isinstance(one, SecretStr)]
    http = Http.open(settings.base_url, context, deadline, networks=networks, secrets=secrets)
    return careful(build(settings, http), http), http


def open_source(
    connector: Connector,
    values: Mapping[str, Any],
    context: CallContext,
    deadline: float,
    networks: Networks | None = None,
) -> Opened[OrderSource]:
    """The marketplace side that orders come from."""
    lacks = "a marketplace that orders come from"
    return _open(connector, connector.source, lacks, values, context, deadline, networks)


def open_sink(
    connector: Connector,
    values: Mapping[str, Any],
    context: CallContext,
    deadline: float,
    networks: Networks | None = None,
) -> Opened[OrderSink]:
    """The ERP side that orders are created in."""
    lacks = "an ERP that orders can be created in"
    return _open(connector, connector.sink, lacks, values, context, deadline, networks)


def open_stock_sink(
    connector: Connector,
    values: Mapping[str, Any],
    context: CallContext,
    deadline: float,
    networks: Networks | None = None,
) -> Opened[StockSink]:
    """The marketplace side that quantities are sent to."""
    lacks = "a marketplace that stock can be sent to"
    return _open(connector, connector.stock_sink, lacks, values, context, deadline, networks)


def open_status_sink(
    connector: Connector,
    values: Mapping[str, Any],
    context: CallContext,
    deadline: float,
    networks: Networks | None = None,
) -> Opened[StatusSink]:
    """The marketplace side that shipments and cancellations are sent to."""
    lacks = "a marketplace that shipments can be sent to"
    return _open(connector, connector.status_sink, lacks, values, context, deadline, networks)


def open_stock_source(
    connector: Connector,
    values: Mapping[str, Any],
    context: CallContext,
    deadline: float,
    networks: Networks | None = None,
) -> Opened[StockSource]:
    """The ERP side that articles and quantities are read from."""
    lacks = "an ERP that stock can be read from"
    return _open(connector, connector.stock_source, lacks, values, context, deadline, networks)


def open_status_source(
    connector: Connector,
    values: Mapping[str, Any],
    context: CallContext,
    deadline: float,
    networks: Networks | None = None,
) -> Opened[StatusSource]:
    """The ERP side that changes of orders are read from."""
    lacks = "an ERP that the status of orders can be read from"
    return _open(connector, connector.status_source, lacks, values, context, deadline, networks)


def open_webhook_setup(
    connector: Connector,
    values: Mapping[str, Any],
    context: CallContext,
    deadline: float,
    networks: Networks | None = None,
) -> Opened[WebhookSetup]:
    """The ERP side that is told where to call us."""
    lacks = "an ERP at which webhooks can be registered by a call"
    return _open(connector, connector.webhook_setup, lacks, values, context, deadline, networks)


def open_webhooks(connector: Connector, values: Mapping[str, Any]) -> Webhooks:
    """What checks and reads the calls of an ERP; it needs no connection."""
    settings = _settings(connector, values)
    if connector.webhooks is None:
        raise ValueError(f"{connector.title} is not an ERP that calls by webhook")
    return connector.webhooks(settings)
