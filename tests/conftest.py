"""Makes the fixtures over real servers known everywhere, and marks the tests that need them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from shared.connectors import http
from shared.networks import LOOPBACK, Networks
from tests.support.fixtures import (  # noqa: F401
    NEED_SERVERS,
    amqp_url,
    broker_url,
    database_url,
    empty_database_url,
    postgres_server,
    rabbitmq_server,
    role_urls,
    user_urls,
)

# Without deadlines: on a busy machine an example is slow without anything being wrong.
settings.register_profile("quick", max_examples=40, deadline=None)
settings.register_profile("thorough", max_examples=300, deadline=None, derandomize=True, print_blob=True)
settings.load_profile("thorough" if os.environ.get("CI") else "quick")


@pytest.fixture(scope="session", autouse=True)
def _stand_ins_may_be_called() -> Iterator[None]:
    """They are on this machine, which an interface may not call unless somebody allows it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http, "PUBLIC_ONLY", Networks.parse(LOOPBACK))
        patch.setenv("CONNECT_ALLOWED_NETWORKS", LOOPBACK)
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before `-m` chooses."""
    for item in items:
        if NEED_SERVERS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("servers")
