"""An address names one host or all nodes of a cluster."""

from __future__ import annotations

import pytest

from services.cli.config import MASK, masked
from shared.broker.address import parse
from shared.settings import load

CLUSTER = "amqp://anna:p%2Fw@one:5673,two,[::1]:5674/v%2F1"


def test_every_node_of_a_cluster_is_an_address_of_its_own() -> None:
    address = parse(CLUSTER)
    assert address.nodes == (("one", 5673), ("two", 5672), ("::1", 5674))
    found = address.each()
    assert sorted((node.host, node.port) for node in found) == sorted(address.nodes)
    assert {(node.user, node.password, node.path, node.others) for node in found} == {("anna", "p/w", "v/1", ())}
    assert str(address) == "amqp://anna:***@one:5673,two:5672,::1:5674/v%2F1"


def test_one_host_is_a_cluster_of_one() -> None:
    address = parse("amqps://example.org/v?cacertfile=/ca.pem")
    assert (address.host, address.port, address.user, address.nodes) == (
        "example.org", 5671, "guest", (("example.org", 5671),),
    )  # fmt: skip
    (node,) = address.each()
    assert node == address


@pytest.mark.parametrize("url", ["amqp://", "amqp://u:p@/v", "amqp://u:p@one,/v", "amqp://u:p@one:x/v", "http://one"])
def test_what_names_no_host_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"CONNECT_AMQP_URL|[Pp]ort"):
        parse(url)


def test_settings_take_several_hosts_and_hide_the_password() -> None:
    database = "postgresql://u:secret@one:5432,two:5433/db"
    settings = load({"CONNECT_AMQP_URL": "amqp://u:secret@one:1,two:2/v", "CONNECT_DATABASE_URL": database})
    assert settings.database() == database
    assert parse(settings.broker()).nodes == (("one", 1), ("two", 2))
    assert masked(settings.amqp_url) == f"amqp://u:{MASK}@one:1,two:2/v"
