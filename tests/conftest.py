"""Makes the fixtures over real servers known everywhere, and marks the tests that need them."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from tests.support.fixtures import (  # noqa: F401
    NEED_SERVERS,
    amqp_url,
    broker_url,
    database_url,
    empty_database_url,
    postgres_server,
    rabbitmq_server,
)

# Without deadlines: on a busy machine an example is slow without anything being wrong.
settings.register_profile("quick", max_examples=40, deadline=None)
settings.register_profile("thorough", max_examples=300, deadline=None, derandomize=True, print_blob=True)
settings.load_profile("thorough" if os.environ.get("CI") else "quick")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before `-m` chooses."""
    for item in items:
        if NEED_SERVERS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("servers")
