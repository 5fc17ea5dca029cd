"""Makes the fixtures over real servers known everywhere, and marks the tests that need them."""

from __future__ import annotations

import pytest

from tests.support.fixtures import (  # noqa: F401
    NEED_SERVERS,
    amqp_url,
    broker_url,
    database_url,
    empty_database_url,
    postgres_server,
    rabbitmq_server,
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before `-m` chooses."""
    for item in items:
        if NEED_SERVERS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("servers")
