"""Only the right server hears a call: over a real socket, with a certificate that is trusted and wrong in one thing."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import httpx2
import pytest

from shared.connectors.cause import Cause
from shared.connectors.contract import Reason
from tests.connectors.test_connection import tried
from tests.connectors.test_http import answer, call, refused, request_of, says, server
from tests.support.tls_proxy import certificate, tls_before


@pytest.fixture
def heard() -> list[bytes]:
    """The requests that reached the server."""
    return []


@pytest.fixture
def port(heard: list[bytes]) -> Any:
    """Of a server that speaks plain, behind whatever speaks TLS."""

    def talk(connection: socket.socket, number: int) -> None:
        while request := request_of(connection):
            heard.append(request)
            connection.sendall(answer())

    with server(talk) as url:
        yield int(url.rpartition(":")[2])


def trust(monkeypatch: pytest.MonkeyPatch, pem: Path) -> None:
    """Our client with one more authority, as a machine's store would have it."""
    made = httpx2.create_ssl_context

    def with_ours(**options: Any) -> Any:
        context = made(**options)
        context.load_verify_locations(str(pem))
        return context

    monkeypatch.setattr(httpx2, "create_ssl_context", with_ours)


def test_the_right_server_is_called(
    port: int, heard: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = certificate(tmp_path, "127.0.0.1")
    trust(monkeypatch, pem)
    with tls_before(port, pem) as secured:
        assert call(f"https://127.0.0.1:{secured}", deadline=10.0).status == 200
    assert len(heard) == 1


@pytest.mark.parametrize(
    ("host", "days", "code"),
    [
        ("shop.example.org", 1, "connection-tls-other-name"),
        ("127.0.0.1", -1, "connection-tls-expired"),
    ],
)
def test_another_name_and_a_certificate_that_is_over_are_refused_before_anything_is_said(
    port: int,
    heard: list[bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    days: float,
    code: str,
) -> None:
    pem = certificate(tmp_path, host, days=days)
    trust(monkeypatch, pem)
    with tls_before(port, pem) as secured:
        url = f"https://127.0.0.1:{secured}"
        assert tried(url)["code"] == code
        for method in ("GET", "POST"):
            assert refused(url, method=method, deadline=10.0).reason is Reason.UNREACHABLE
    assert heard == []


def test_a_stranger_and_an_outdated_server_are_refused(
    port: int, heard: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("trusted", "stranger"):
        (tmp_path / name).mkdir()
    pem = certificate(tmp_path / "trusted", "127.0.0.1")
    trust(monkeypatch, pem)
    with tls_before(port, certificate(tmp_path / "stranger", "127.0.0.1")) as secured:
        assert tried(f"https://127.0.0.1:{secured}")["code"] == "connection-tls-untrusted"
    with tls_before(port, pem, outdated=True) as secured:
        assert refused(f"https://127.0.0.1:{secured}", deadline=10.0).reason is Reason.UNREACHABLE
    assert heard == []


def test_a_redirect_from_https_to_http_leads_nowhere(
    port: int, heard: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = certificate(tmp_path, "127.0.0.1")
    trust(monkeypatch, pem)
    plain = f"http://127.0.0.1:{port}/x"
    redirects = says(answer(b"{}", "307 Temporary Redirect", Location=plain))
    with server(redirects) as url, tls_before(int(url.rpartition(":")[2]), pem) as secured:
        for method in ("GET", "POST"):
            error = refused(f"https://127.0.0.1:{secured}", method=method, deadline=10.0)
            assert (error.reason, error.cause) == (Reason.BROKEN_ANSWER, Cause.REDIRECT)
            assert error.clues["location"] == "http://127.0.0.1/x"
    assert heard == [], "nothing goes on without encryption"
