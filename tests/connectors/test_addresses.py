"""An address that nobody allowed is never connected to: checked at the socket, each time, whatever a name answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from shared.connectors.cause import Cause
from shared.connectors.contract import Reason, RemoteError
from shared.connectors.http import Http
from shared.networks import LOOPBACK, Networks
from tests.connectors.conftest import Context
from tests.connectors.test_http import answer, says, server

PUBLIC_ONLY = Networks()
HERE = Networks.parse(LOOPBACK)


class Names:
    """A name server that answers as told, and what was connected to."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.answers: list[list[str]] = []
        self.tried: list[str] = []
        connect, look_up = socket.create_connection, socket.getaddrinfo

        def resolved(host: str, port: int, *more: Any, **other: Any) -> list[Any]:
            if host != "erp.example":
                return look_up(host, port, *more, **other)
            addresses = self.answers.pop(0)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        def connected(address: tuple[str, int], *more: Any, **other: Any) -> socket.socket:
            self.tried.append(address[0])
            return connect(address, *more, **other)

        patch.setattr(socket, "getaddrinfo", resolved)
        patch.setattr(socket, "create_connection", connected)


@pytest.fixture
def names() -> Iterator[Names]:
    with pytest.MonkeyPatch.context() as patch:
        yield Names(patch)


def refused(url: str, networks: Networks) -> RemoteError:
    with Http.open(url, Context(), 2.0, networks=networks) as http, pytest.raises(RemoteError) as caught:
        http.request_json("try", "GET", "/x")
    return caught.value


def port_of(url: str) -> str:
    return url.rpartition(":")[2]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::1]", "[::ffff:127.0.0.1]"])
def test_this_machine_is_closed_however_it_is_written(names: Names, host: str) -> None:
    error = refused(f"http://{host}:9", PUBLIC_ONLY)
    assert (error.reason, error.cause) == (Reason.ADDRESS_REFUSED, Cause.ADDRESS_REFUSED)
    assert "CONNECT_ALLOWED_NETWORKS" in error.detail
    assert names.tried == []


def test_a_name_that_changes_its_answer_is_checked_at_every_connection(names: Names) -> None:
    with server(says(answer())) as url:
        names.answers = [["127.0.0.1"], ["10.0.0.7"], ["169.254.169.254"]]
        address = f"http://erp.example:{port_of(url)}"
        with Http.open(address, Context(), 2.0, networks=HERE) as http:
            assert http.request_json("try", "GET", "/x").status == 200
        for _ in range(2):
            assert refused(address, HERE).reason is Reason.ADDRESS_REFUSED
    assert names.tried == ["127.0.0.1"], "it was asked once for each connection, and only what was checked was called"


def test_of_several_addresses_the_allowed_ones_are_tried_until_one_answers(names: Names) -> None:
    with server(says(answer())) as url:
        names.answers = [["10.0.0.7", "127.0.0.9", "127.0.0.1"]]
        with Http.open(f"http://erp.example:{port_of(url)}", Context(), 2.0, networks=HERE) as http:
            assert http.request_json("try", "GET", "/x").status == 200
    assert names.tried == ["127.0.0.9", "127.0.0.1"]


def test_a_host_may_be_named_instead_of_its_network(names: Names) -> None:
    with server(says(answer())) as url:
        names.answers = [["127.0.0.1"]]
        named = Networks.parse("erp.example")
        with Http.open(f"http://erp.example:{port_of(url)}", Context(), 2.0, networks=named) as http:
            assert http.request_json("try", "GET", "/x").status == 200
        assert refused(url, named).reason is Reason.ADDRESS_REFUSED


def test_a_redirect_leads_nowhere(names: Names) -> None:
    with server(says(answer(b"{}", "302 Found", Location="http://169.254.169.254/latest?token=x"))) as url:
        error = refused(url, HERE)
    assert error.cause == Cause.REDIRECT
    assert error.clues["location"] == "http://169.254.169.254/latest"
    assert names.tried == ["127.0.0.1"]
