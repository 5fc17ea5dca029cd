"""Fixtures over real servers: a database, a vhost, a broker of its own for each test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from services.cli.local.rabbitmq_control import Control
from shared.broker import users
from shared.broker.address import parse
from shared.broker.apply import apply
from shared.db.roles import Kind
from tests.support import servers
from tests.support.emptied import emptied

NEED_SERVERS = {"postgres_server", "rabbitmq_server", "database_url", "empty_database_url", "amqp_url", "broker_url"}


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with servers.postgres() as url:
        yield url


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[Control | None]:
    with servers.rabbitmq() as control:
        yield control


@pytest.fixture
def database_url(postgres_server: str) -> Iterator[str]:
    """A fresh database, migrated and without rows."""
    with servers.database(postgres_server, f"t{uuid.uuid4().hex}") as url:
        yield url


@pytest.fixture
def role_urls(database_url: str) -> Iterator[dict[Kind, str]]:
    """The roles of `database_url` that are not its owner, as URLs."""
    with servers.restricted(database_url) as urls:
        yield urls


@pytest.fixture
def empty_database_url(postgres_server: str) -> Iterator[str]:
    """A fresh database with nothing in it."""
    with servers.database(postgres_server, f"t{uuid.uuid4().hex}", template="template0") as url:
        yield url


@pytest.fixture
def amqp_url(rabbitmq_server: Control | None) -> Iterator[str]:
    """A fresh vhost with the topology applied."""
    with fresh_vhost(rabbitmq_server) as url:
        yield url


@contextmanager
def fresh_vhost(rabbitmq_server: Control | None) -> Iterator[str]:
    """What `amqp_url` is, for whoever needs it longer than a test."""
    if rabbitmq_server is None:
        with servers.lone("amqp"):
            url = os.environ["CONNECT_TEST_AMQP_URL"]
            emptied(url)
            assert apply(url) == []
            yield url
        return
    name = f"t{uuid.uuid4().hex}"
    url = rabbitmq_server.vhost(name)
    try:
        assert apply(url) == []
        yield url
    finally:
        rabbitmq_server.drop([name])


@pytest.fixture
def user_urls(amqp_url: str, rabbitmq_server: Control | None) -> Iterator[dict[users.Kind, str]]:
    """The users of the vhost of `amqp_url`, each as a URL."""
    if rabbitmq_server is None:
        pytest.skip("users are made on a broker of our own only")
    vhost = parse(amqp_url).path
    yield rabbitmq_server.let_in(vhost, {kind: f"{kind}'s @/word" for kind in users.KINDS})
    names = ", ".join(f'<<"{users.name(vhost, kind)}">>' for kind in users.KINDS)
    rabbitmq_server.evaluate(f'[rabbit_auth_backend_internal:delete_user(N, <<"tests">>) || N <- [{names}]].')


@pytest.fixture(params=["rabbitmq", "pgmq"])
def broker_url(request: pytest.FixtureRequest) -> str:
    """Each broker in turn, with the topology applied; pgmq lives in the database of `database_url`."""
    if request.param == "rabbitmq":
        return str(request.getfixturevalue("amqp_url"))
    url = "pgmq" + str(request.getfixturevalue("database_url")).removeprefix("postgresql")
    assert apply(url) == []
    return url
