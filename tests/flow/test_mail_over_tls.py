"""Mails over TLS: a server that shows another name's certificate gets nothing."""

from __future__ import annotations

import socket
import ssl
import threading
from email.message import EmailMessage
from pathlib import Path

import pytest

from services.alerts import smtp
from tests.support.mail_server import mail_server
from tests.support.tls_proxy import certificate, tls_before


@pytest.mark.parametrize("scheme", ["smtps", "smtp"])
def test_the_certificate_must_be_for_the_server_and_not_be_over(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = EmailMessage()
    message["Message-ID"], message["To"] = "<1@example.org>", "a@example.org"
    fates = {}
    for host, days in (("127.0.0.1", 1), ("mail.example.org", 1), ("127.0.0.1", -1)):
        pem = certificate(tmp_path, host, days=days)
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))  # it is trusted: only its name or its end may be wrong
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, pem.with_suffix(".key"))
        with mail_server(context if scheme == "smtp" else None) as server, tls_before(server.port, pem) as port:
            where = f"127.0.0.1:{server.port}?starttls=required" if scheme == "smtp" else f"127.0.0.1:{port}"
            answer = smtp.send(smtp.Server.parse(f"{scheme}://{where}"), message, "a@example.org", 10)
            fates[host, days] = (answer.fate, len(server.mails), "certificate" in answer.text)
    assert fates == {
        ("127.0.0.1", 1): (smtp.Fate.SENT, 1, False),
        ("mail.example.org", 1): (smtp.Fate.LATER, 0, True),
        ("127.0.0.1", -1): (smtp.Fate.LATER, 0, True),
    }


def test_a_server_without_starttls_gets_nothing_where_it_is_required() -> None:
    with mail_server() as server:
        found = smtp.send(
            smtp.Server.parse(f"smtp://127.0.0.1:{server.port}?starttls=required"), EmailMessage(), "a@example.org", 10
        )
        assert (found.fate, server.mails) == (smtp.Fate.LATER, [])
        assert "STARTTLS" in found.text


@pytest.mark.parametrize(
    ("url", "starttls"),
    [
        ("smtp://mail.example.org:587", "required"),
        ("smtp://10.1.2.3", "required"),
        ("smtp://[2001:db8::1]:25", "required"),
        ("smtp://mail.example.org?starttls=auto", "auto"),
        ("smtp://mail.example.org?starttls=no", "no"),
        ("smtp://mail:1025", "auto"),
        ("smtp://localhost", "auto"),
        ("smtp://127.0.0.1:1025", "auto"),
    ],
)
def test_off_this_machine_mails_go_over_tls_unless_somebody_says_otherwise(url: str, starttls: str) -> None:
    assert smtp.Server.parse(url).starttls == starttls


def test_a_password_goes_over_tls_or_where_somebody_said_that_it_may_go_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, pem.with_suffix(".key"))
    message = EmailMessage()
    message["Message-ID"], message["To"] = "<1@example.org>", "a@example.org"
    found = {}
    for name, tls, said in (("tls", context, ""), ("plain", None, ""), ("allowed", None, "?starttls=no")):
        with mail_server(tls) as server:
            where = smtp.Server.parse(f"smtp://erika:secret@127.0.0.1:{server.port}{said}")
            answer = smtp.send(where, message, "a@example.org", 10)
            found[name] = (answer.fate, server.logins, "starttls=no" in answer.text)
    assert found == {
        "tls": (smtp.Fate.SENT, ["erika"], False),
        "plain": (smtp.Fate.LATER, [], True),
        "allowed": (smtp.Fate.SENT, ["erika"], False),
    }


def test_a_server_that_dribbles_is_broken_off() -> None:
    """It says something before each deadline of one read is over, and never finishes."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            raw, _ = listening.accept()
            with raw:
                raw.sendall(b"220 mail.test\r\n")
                try:
                    while not done.wait(0.05):
                        raw.sendall(b"250-and so on\r\n")
                except OSError:
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        answer = smtp.send(
            smtp.Server.parse(f"smtp://127.0.0.1:{listening.getsockname()[1]}"), EmailMessage(), "a@example.org", 1
        )
        done.set()
        thread.join(10)
    assert answer.fate is smtp.Fate.LATER
