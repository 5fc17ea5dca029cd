"""The demo's mail catcher: what comes by SMTP is kept and shown, and can do nothing to whoever looks."""

from __future__ import annotations

import smtplib
import socket
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from services.sandbox import mails
from services.sandbox.serve import serving

pytestmark = pytest.mark.servers


def send(address: str, subject: str, text: str, html: str | None = None) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "connect@example.org", "me@example.org", subject
    mail.set_content(text)
    if html is not None:
        mail.add_alternative(html, subtype="html")
    parts = urlsplit(address)
    assert (parts.scheme, parts.hostname) == ("smtp", "127.0.0.1")
    with smtplib.SMTP("127.0.0.1", parts.port or 0, timeout=10) as smtp:
        smtp.send_message(mail)


def test_a_mail_is_kept_and_shown_and_is_there_after_a_restart(tmp_path: Path) -> None:
    with serving({}, tmp_path, {}, mails=True) as addresses:
        assert "No mail yet" in httpx2.get(addresses["mails"]).text
        send(addresses["smtp"], "Größe <b>", "Guten Tag", "<p>Hallo</p><script>alert(1)</script>")
        send(addresses["smtp"], "Nur Text", "a < b")
    with serving({}, tmp_path, {}, mails=True) as addresses:
        found = httpx2.get(addresses["mails"] + "/_sandbox/mails").json()["mails"]
        assert [(one["no"], one["to"], one["subject"]) for one in found] == [
            (2, "me@example.org", "Nur Text"), (1, "me@example.org", "Größe <b>"),
        ]  # fmt: skip
        assert found[1]["text"].strip() == "Guten Tag"
        page = httpx2.get(addresses["mails"]).text
        assert "Größe &lt;b&gt;" in page
        shown = httpx2.get(addresses["mails"] + "/mails/1")
        assert "<p>Hallo</p>" in shown.text
        assert "default-src 'none'" in shown.headers["content-security-policy"]
        assert "a &lt; b" in httpx2.get(addresses["mails"] + "/mails/2").text
        assert httpx2.get(addresses["mails"] + "/mails/3").status_code == 404


def test_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mails, "MOST", 2)
    with serving({}, tmp_path, {}, mails=True) as addresses:
        for number in range(4):
            send(addresses["smtp"], f"{number}", "…")
        found = httpx2.get(addresses["mails"] + "/_sandbox/mails").json()["mails"]
    assert [one["subject"] for one in found] == ["3", "2"]


def test_a_taken_port_moves_only_where_it_may(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        taken = squatter.getsockname()[1]
        with serving({}, tmp_path, {"mails": taken}, mails=True, may_move=True) as addresses:
            assert urlsplit(addresses["mails"]).port != taken
            assert httpx2.get(addresses["mails"]).status_code == 200
        with pytest.raises(OSError, match="in use"), serving({}, tmp_path, {"mails": taken}, mails=True):
            pass
