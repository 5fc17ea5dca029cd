"""The test of a connection says what is wrong, and how to fix it, in both languages."""

from __future__ import annotations

import errno
import socket
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from inspect import cleandoc
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from shared.connectors.cause import WORDS, Cause, cause_of, scope_of
from shared.connectors.connection import CHECKS, examine
from shared.connectors.contract import Connector, Reason, RemoteError
from shared.connectors.facts import facts
from shared.connectors.http import BaseUrl, Http
from shared.connectors.registry import discover
from shared.errors.catalogue import catalogue
from shared.errors.entry import Language
from shared.networks import LOOPBACK, Networks
from tests.connectors.test_http import answer, server
from tests.connectors.test_http import says as speaks
from tests.support.tls_proxy import certificate, tls_before

HERE = Networks.parse(LOOPBACK)
SECRET = "canary-of-the-tests"


class Settings(BaseModel):
    base_url: BaseUrl
    token: SecretStr


class Pings:
    """Does nothing but ask."""

    def __init__(self, settings: Any, http: Http) -> None:
        self._token, self._http = settings.token.get_secret_value(), http

    def ping(self) -> None:
        self._http.request_json("ping", "GET", "/orders", headers={"Authorization": self._token})


def connector(**more: Any) -> Connector:
    return Connector(
        "acme", "Acme", Settings, 1.0, 0.0, Path(), source=Pings, permissions={"orders": "orders:read"}, **more
    )


def tried(url: str, language: Language = "en", networks: Networks = HERE, **more: Any) -> dict[str, Any]:
    values = {"base_url": url, "token": SECRET}
    found = examine(connector(**more), "marketplace", values, networks, language, deadline=1.0)
    assert SECRET not in str(found)
    return found


def said(status: str, body: bytes = b"{}", **headers: str) -> tuple[str, str, str]:
    """Code, problem and fix for a system that answers like this."""
    with server(speaks(answer(body, status, **headers))) as url:
        found = tried(url)
    return found["code"], found["problem"], found["fix"]


def test_everything_that_goes_through_is_named() -> None:
    with server(speaks(answer())) as url:
        found = tried(url, stock_sink=Pings)
    assert found["ok"]
    assert [(one["name"], one["ok"]) for one in found["checks"]] == [("orders", True), ("stock", True)]


def test_names_ports_and_addresses() -> None:
    assert tried("http://nothing.invalid")["code"] in ("connection-name-unknown", "connection-name-unanswered")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert tried(f"http://127.0.0.1:{port}")["code"] == "connection-refused"
    closed = tried("http://127.0.0.1:9", networks=Networks())
    assert closed["code"] == "connection-address-refused"
    assert "CONNECT_ALLOWED_NETWORKS=127.0.0.1" in closed["fix"]
    wrong = tried("ftp://x.example")
    assert (wrong["code"], "base_url" in wrong["problem"]) == ("connection-settings", True)


def test_tls(tmp_path: Path) -> None:
    def plain(connection: socket.socket, number: int) -> None:
        connection.recv(65536)
        connection.sendall(answer(b"", "400 Bad Request"))

    with server(plain) as url:
        assert tried(url.replace("http:", "https:"))["code"] == "connection-tls-none"
    with server(speaks(answer())) as url:
        port = int(url.rpartition(":")[2])
        with tls_before(port, certificate(tmp_path, "127.0.0.1")) as secured:
            assert tried(f"https://127.0.0.1:{secured}")["code"] == "connection-tls-untrusted"


def test_a_system_that_never_answers_is_slow() -> None:
    def hang(connection: socket.socket, number: int) -> None:
        while connection.recv(65536):
            pass

    with server(hang) as url:
        assert tried(url)["code"] == "connection-slow"


def test_what_an_answer_means() -> None:
    code, problem, fix = said("401 No")
    assert (code, "token" in problem, "orders:read" in fix) == ("connection-credentials", True, True)
    code, problem, _ = said("403 No", WWW_Authenticate='Bearer error="insufficient_scope", scope="orders:write"')
    assert (code, "orders:write" in problem) == ("connection-permission", True)
    assert "orders:read" in said("403 No", b"<html>", Content_Type="text/html")[1]
    assert said("404 No")[0] == "connection-path"
    for status in ("200 OK", "404 No"):
        assert said(status, b"<html>", Content_Type="text/html; charset=utf-8")[0] == "connection-html"
    code, problem, _ = said("301 Moved", Location="https://x.example/login?next=a")
    assert (code, "https://x.example/login" in problem) == ("connection-redirect", True)
    assert said("429 Slow")[0] == "connection-busy"
    assert said("502 No", b"<html>", Content_Type="text/html")[0] == "connection-down"
    assert said("422 No")[0] == "connection-request"
    assert said("200 OK", b"{")[0] == "connection-broken"


def test_a_clock_that_is_off_explains_a_refusal() -> None:
    off = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    code, problem, _ = said("401 No", Date=off)
    assert (code, "36" in problem) == ("connection-clock", True)
    near = format_datetime(datetime.now(UTC) - timedelta(seconds=5), usegmt=True)
    assert said("401 No", Date=near)[0] == "connection-credentials"


def test_german_is_told_in_german() -> None:
    with server(speaks(answer(b"{}", "401 No"))) as url:
        found = tried(url, "de")
    assert found["problem"].startswith("Acme nimmt die Zugangsdaten nicht an.")


def test_a_missing_permission_for_the_rest_is_told_and_hinders_nothing() -> None:
    class Forbids(Pings):
        def ping(self) -> None:
            raise RemoteError(Reason.FORBIDDEN, "ping: HTTP 403", status=403)

    class Fails(Pings):
        def ping(self) -> None:
            raise RemoteError(Reason.UNAVAILABLE, "ping: HTTP 500", status=500)

    with server(speaks(answer())) as url:
        found = tried(url, stock_sink=Forbids, status_sink=Pings)
        assert found["ok"]
        assert found["code"] == "connection-permission"
        assert [one["ok"] for one in found["checks"]] == [True, False, True]
        assert not tried(url, stock_sink=Fails)["ok"]
        only = examine(
            Connector("acme", "Acme", Settings, 1.0, 0.0, Path(), source=Forbids), "marketplace",
            {"base_url": url, "token": SECRET}, HERE,
        )  # fmt: skip
        assert not only["ok"], "without orders it is no interface"


def failure(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    return error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (failure(10), Cause.TLS_EXPIRED),
        (failure(9), Cause.TLS_NOT_YET),
        (failure(62), Cause.TLS_OTHER_NAME),
        (failure(20), Cause.TLS_UNTRUSTED),
        (failure(26), Cause.TLS_FAILED),
        (ssl.SSLError(1, "tlsv1 alert protocol version"), Cause.TLS_FAILED),
        (socket.gaierror(socket.EAI_NONAME, "x"), Cause.NAME_UNKNOWN),
        (socket.gaierror(socket.EAI_AGAIN, "x"), Cause.NAME_UNANSWERED),
        (OSError(errno.EHOSTUNREACH, "x"), Cause.NO_ROUTE),
        (TimeoutError(), Cause.CONNECT_TIMEOUT),
        (ValueError(), None),
    ],
)
def test_the_cause_is_found_behind_what_the_client_raises(error: Exception, cause: Cause | None) -> None:
    outer = RuntimeError("of the client")
    outer.__cause__ = RuntimeError("of the layer below")
    outer.__cause__.__context__ = error
    assert cause_of(outer) == cause


def test_every_cause_has_words_and_an_entry() -> None:
    assert {f"connection-{cause}" for cause in Cause} <= catalogue().keys()
    assert set(WORDS) == set(Cause)


def test_a_scope_is_read_and_nothing_else() -> None:
    assert scope_of('Bearer realm="x", scope="a:read b"') == "a:read b"
    assert scope_of("Bearer scope=a") == "a"
    assert scope_of("Basic realm=x") == scope_of(None) == ""


@pytest.mark.parametrize("kept", [True, False], ids=["indented", "as since Python 3.13"])
def test_a_setting_is_explained_by_the_docstring(kept: bool) -> None:
    class Settings(BaseModel):
        """Of one account.

        base_url: where it is,
                  with the shop
        ship_…:   where parcels leave
        """

        base_url: str
        ship_city: str = ""

    if not kept:
        Settings.__doc__ = cleandoc(Settings.__doc__ or "") + "\n"
    assert {fact.name: fact.about for fact in facts(Settings)} == {
        "base_url": "where it is, with the shop", "ship_city": "where parcels leave"}  # fmt: skip


@pytest.mark.parametrize("key", discover())
def test_each_connector_explains_its_settings_and_what_its_credentials_must_allow(key: str) -> None:
    found = discover()[key]
    assert [fact.name for fact in facts(found.settings) if not fact.about] == []
    for side, capability in (("marketplace", found.source), ("erp", found.sink)):
        if capability is not None and found.permissions:
            offered = {name for name, has, _ in CHECKS[side] if getattr(found, has) is not None}
            assert offered <= found.permissions.keys()
