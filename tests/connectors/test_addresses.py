"""An address that nobody allowed is never connected to, nor one without encryption outside of named networks: checked
at the socket, each time, whatever a name answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from shared.connectors.cause import Cause
from shared.connectors.contract import Reason, RemoteError
from shared.connectors.http import Http
from shared.errors.catalogue import entry
from shared.networks import LOOPBACK, Networks
from shared.runtime.hinted import OF_ALL
from shared.runtime.judge import CONNECTION, from_remote_error
from shared.runtime.outcome import Retry
from shared.runtime.retry import next_after
from tests.connectors.conftest import Context
from tests.connectors.test_connection import tried
from tests.connectors.test_http import answer, says, server

PUBLIC_ONLY = Networks()
HERE = Networks.parse(LOOPBACK)
PUBLIC = "93.184.215.14"


class Names:
    """A name server that answers as told, and what was connected to. PUBLIC is this machine in truth."""

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
            return connect(("127.0.0.1", address[1]) if address[0] == PUBLIC else address, *more, **other)

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


def test_without_encryption_a_public_address_is_not_even_connected_to(names: Names) -> None:
    with server(says(answer())) as url:
        for networks in (PUBLIC_ONLY, HERE, Networks.parse("erp.example, 10.0.0.0/8")):
            names.answers = [[PUBLIC]]
            error = refused(f"http://erp.example:{port_of(url)}", networks)
            assert (error.reason, error.cause) == (Reason.UNENCRYPTED, Cause.UNENCRYPTED)
            assert not error.reason.outcome_unknown
            for word in ("erp.example", PUBLIC, "CONNECT_ALLOWED_NETWORKS", "http://"):
                assert word in error.detail
    assert names.tried == []


def test_over_https_a_public_address_is_connected_to(names: Names) -> None:
    def speaks_plain(connection: socket.socket, number: int) -> None:
        connection.recv(65536)
        connection.sendall(answer(b"", "400 Bad Request"))

    with server(speaks_plain) as url:
        names.answers = [[PUBLIC]]
        assert refused(f"https://erp.example:{port_of(url)}", PUBLIC_ONLY).cause == Cause.TLS_NONE
    assert names.tried == [PUBLIC]


def test_a_network_that_is_named_may_be_called_without_encryption_also_a_public_one(names: Names) -> None:
    with server(says(answer())) as url:
        names.answers = [[PUBLIC]]
        address = f"http://erp.example:{port_of(url)}"
        with Http.open(address, Context(), 2.0, networks=Networks.parse("93.184.215.0/24")) as http:
            assert http.request_json("try", "GET", "/x").status == 200
    assert names.tried == [PUBLIC]


def test_a_private_name_that_turns_public_is_not_called_without_encryption_any_more(names: Names) -> None:
    with server(says(answer())) as url:
        address = f"http://erp.example:{port_of(url)}"
        names.answers = [[PUBLIC, "127.0.0.1"], [PUBLIC]]
        with Http.open(address, Context(), 2.0, networks=HERE) as http:
            assert http.request_json("try", "GET", "/x").status == 200
        assert refused(address, HERE).reason is Reason.UNENCRYPTED
    assert names.tried == ["127.0.0.1"], "of several addresses only the one that may be called so"


def test_a_private_address_that_nobody_named_is_told_as_such_also_without_encryption(names: Names) -> None:
    names.answers = [["10.0.0.7"]]
    assert refused("http://erp.example:9", HERE).reason is Reason.ADDRESS_REFUSED


def test_each_call_counts_and_not_the_address_it_was_opened_with(names: Names) -> None:
    with server(says(answer())) as url, Http.open("https://erp.example", Context(), 2.0, networks=HERE) as http:
        names.answers = [[PUBLIC]]
        with pytest.raises(RemoteError) as caught:
            http.request_json("try", "GET", f"http://erp.example:{port_of(url)}/x")
    assert caught.value.reason is Reason.UNENCRYPTED
    assert names.tried == []


def test_the_test_of_a_connection_says_what_and_how_to_mend_it(names: Names) -> None:
    for language, words in (("en", ("without encryption", "https://")), ("de", ("Verschlüsselung", "https://"))):
        names.answers = [[PUBLIC]]
        found = tried("http://erp.example", language, HERE)  # type: ignore[arg-type]
        assert (found["ok"], found["code"]) == (False, "connection-unencrypted")
        assert all(word in found["problem"] + found["fix"] for word in (*words, "erp.example", PUBLIC))
        assert f"CONNECT_ALLOWED_NETWORKS={PUBLIC}" in found["fix"]
    assert names.tried == []


def test_it_is_a_matter_of_settings_and_nobody_hammers() -> None:
    said = from_remote_error(RemoteError(Reason.UNENCRYPTED, "read: no"), "Acme", called=True)
    assert isinstance(said, Retry)
    assert not said.called, "nothing was sent, so nothing has to be looked up"
    assert {Reason.UNENCRYPTED} <= CONNECTION, "it opens the breaker, and records wait for it to close"
    assert {Reason.UNENCRYPTED} <= OF_ALL
    waits = [next_after(said.problem.code, tries, 0.0, 0.0, chance=0.0) for tries in range(5)]
    assert all(wait is not None and wait >= 50 for wait in waits), waits
    assert waits[-1] is not None
    assert waits[-1] > 3000
    assert entry(said.problem.code).owner == entry("connection-unencrypted").owner == "you"
