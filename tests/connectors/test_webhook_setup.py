"""What every ERP promises that is told by a call where to call us."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.connectors.contract import Connector, RemoteError
from tests.connectors.conftest import Opened, having, opened
from tests.connectors.test_erp_sources import listening
from tests.support.sandbox import Stand, sandbox
from tests.support.waiting import until

pytestmark = pytest.mark.servers
SETUP = having("webhook_setup")


def setup(side: Opened) -> Any:
    build: Any = side.connector.webhook_setup
    return build(side.settings, side.http)


@pytest.mark.parametrize("connector", SETUP)
def test_a_name_is_registered_once_however_often_and_wherever_it_moves(connector: Connector, tmp_path: Path) -> None:
    with sandbox(tmp_path) as own, opened(connector, own) as side, listening() as (url, got):
        setup(side).register("somebody else", "http://127.0.0.1:9/other")
        for address in ("http://127.0.0.1:9/old", url, url):
            setup(side).register("Connect", address)
        told = sorted((hook["name"], hook["url"]) for hook in own.state(connector.key)["webhooks"])
        assert told == [("Connect", url), ("somebody else", "http://127.0.0.1:9/other")]
        own.post(connector.key, "stock", [{"sku": "ABC-1", "warehouses": {"1": 3}}])
        headers, body = until(lambda: got[-1] if got else None, "we are called")
        found = side.webhooks.hints(body)
        assert [hint.kind for hint in found] == ["article"]
        assert side.stock_source.articles_hinted(found)[0].sku == "ABC-1"
        assert headers


@pytest.mark.parametrize("connector", SETUP)
def test_an_erp_that_refuses_raises_and_keeps_what_was_there(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand) as side:
        setup(side).register("kept", "http://127.0.0.1:9/kept")
        with pytest.raises(RemoteError):
            setup(side).register("kept", "ftp://nowhere")
        assert [hook["url"] for hook in stand.state(connector.key)["webhooks"] if hook["name"] == "kept"] == [
            "http://127.0.0.1:9/kept"
        ]


@pytest.mark.parametrize("connector", SETUP)
def test_without_a_key_nothing_is_registered(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand) as side:
        side.settings = side.settings.model_copy(update={"webhook_key": None})
        with pytest.raises(ValueError, match="webhook_key"):
            setup(side).register("keyless", "http://127.0.0.1:9/x")
        assert all(hook["name"] != "keyless" for hook in stand.state(connector.key)["webhooks"])
