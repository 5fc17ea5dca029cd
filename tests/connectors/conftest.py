"""Opens every connector against its own stand-in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from shared.connectors.contract import Connector, Mappings, OwnTokens
from shared.connectors.http import Http
from shared.connectors.registry import discover
from tests.support.sandbox import Stand, sandbox


class Context:
    """A call context that never limits and notes what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.tokens = OwnTokens()
        self.at_once = 4
        self._lock = Lock()

    def before_call(self, operation: str) -> None:
        """No limit."""

    def before_send(self) -> None:
        """Nothing is kept back."""

    def after_call(self, operation: str, code: str, seconds: float) -> None:
        with self._lock:
            self.calls.append((operation, code))


class Opened:
    """A connector with its capabilities, opened against its stand-in as its samples say."""

    def __init__(self, connector: Connector, address: str, deadline: float) -> None:
        self.connector = connector
        self.samples = connector.folder / "samples"
        self.context = Context()
        text = (self.samples / "settings.json").read_text(encoding="utf-8").replace("{sandbox}", address)
        self.secrets = [value for value in json.loads(text).values() if str(value).startswith("canary")]
        self.settings = connector.settings.model_validate_json(text)
        self.http = Http.open(address, self.context, deadline)
        self.source: Any = connector.source(self.settings, self.http) if connector.source else None
        self.sink: Any = connector.sink(self.settings, self.http) if connector.sink else None
        self.stock_sink: Any = self._open(connector.stock_sink)
        self.status_sink: Any = self._open(connector.status_sink)
        self.stock_source: Any = self._open(connector.stock_source)
        self.status_source: Any = self._open(connector.status_source)
        self.webhooks: Any = connector.webhooks(self.settings) if connector.webhooks else None

    def _open(self, build: Any) -> Any:
        return build(self.settings, self.http) if build else None

    @property
    def mappings(self) -> Mappings:
        return Mappings(json.loads((self.samples / "mappings.json").read_text(encoding="utf-8")))


def having(capability: str) -> list[Any]:
    """Every connector with this capability, to parametrise with."""
    found = discover().items()
    return [pytest.param(each, id=key) for key, each in found if getattr(each, capability)]


@contextmanager
def opened(connector: Connector, stand: Stand, deadline: float = 10.0) -> Iterator[Opened]:
    side = Opened(connector, stand.addresses[connector.key], deadline)
    with side.http:
        yield side


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "stand" in request.fixturenames:
        running: Stand = request.getfixturevalue("stand")
        if running.process.poll() is None:
            for key in running.addresses:
                running.clear(key)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`sample` runs over the order samples of every connector."""
    if "sample" in metafunc.fixturenames:
        found = [
            pytest.param(connector, path, id=f"{connector.key}-{path.stem}")
            for connector in discover().values()
            for path in sorted((Path(connector.folder) / "samples").glob("order-*.json"))
        ]
        metafunc.parametrize(("connector", "sample"), found)
