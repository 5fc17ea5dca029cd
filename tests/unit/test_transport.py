"""What `connect doctor` says of connections that leave the machine, and of certificates that end."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.cli.transport import certificates, pages, unprotected
from shared.settings import load
from tests.support.tls_proxy import certificate, tls_before

FAR = {
    "CONNECT_DATABASE_URL": [
        ("postgresql://u:p@db.example.org/connect", "unencrypted"),
        ("postgresql://u:p@10.1.2.3/connect?sslmode=prefer", "unencrypted"),
        ("postgresql://u:p@db.example.org/connect?sslmode=require", "to whoever answers"),
        ("postgresql://u:p@db.example.org/connect?sslmode=verify-ca", "to whoever answers"),
        ("postgresql://u:p@db.example.org/connect?sslmode=verify-full", ""),
        ("postgresql://u:p@127.0.0.1:5433/connect", ""),
        ("postgresql://u:p@postgres:5432/connect", ""),
    ],
    "CONNECT_AMQP_URL": [
        ("amqp://u:p@mq.example.org/connect", "unencrypted"),
        ("amqps://u:p@mq.example.org/connect", ""),
        ("amqp://u:p@rabbitmq/connect", ""),
        ("pgmq://u:p@db.example.org/connect?visibility_timeout=30", "unencrypted"),
        ("pgmq://u:p@db.example.org/connect?visibility_timeout=30&sslmode=verify-full", ""),
    ],
    "CONNECT_SMTP_URL": [
        ("smtp://mail.example.org:587?from=a@example.org", ""),
        ("smtp://mail.example.org:587?starttls=auto", "unencrypted"),
        ("smtp://mail.example.org:587?starttls=no", "unencrypted"),
        ("smtp://mail.example.org:587?starttls=required", ""),
        ("smtps://mail.example.org", ""),
        ("smtp://mail:1025", ""),
    ],
}


@pytest.mark.parametrize(
    ("setting", "url", "said"), [(name, url, said) for name, urls in FAR.items() for url, said in urls]
)
def test_what_leaves_the_machine_unprotected_is_named(setting: str, url: str, said: str) -> None:
    found = [remark.said for remark in unprotected(load({setting: url}), {})]
    assert [said in one and setting in one and ":p@" not in one for one in found] == ([True] if said else [])


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("http://connect.example.org", True),
        ("http://10.1.2.3:8080", True),
        ("http://connect:8080", True),  # a short name is another machine, or a container that a browser reaches by it
        ("http://[fd00::7]:8080", True),
        ("http://127.0.0.1.example.org", True),
        ("https://connect.example.org", False),
        ("http://127.0.0.1:8080", False),
        ("http://127.8.8.8", False),
        ("http://localhost:8080", False),
        ("http://LOCALHOST", False),
        ("http://[::1]:8080", False),
    ],
)
def test_a_journal_that_is_reached_without_encryption_is_named(url: str, named: bool) -> None:
    found = list(pages(load({"CONNECT_BASE_URL": url})))
    assert [one.said.startswith("CONNECT_BASE_URL is http://") for one in found] == ([True] if named else [])
    assert all("CONNECT_BASE_URL=https://" in one.fix and not one.wrong for one in found)


def test_each_of_several_hosts_is_looked_at() -> None:
    settings = load(
        {
            "CONNECT_DATABASE_URL": "postgresql://u:p@127.0.0.1:1,db.example.org:2/connect",
            "CONNECT_AMQP_URL": "amqp://u:p@rabbitmq:1,mq.example.org:2/connect",
        }
    )
    assert [remark.said.split()[-1] for remark in unprotected(settings, {})] == ["db.example.org.", "mq.example.org."]


def test_what_the_environment_says_to_libpq_counts() -> None:
    settings = load({"CONNECT_DATABASE_URL": "postgresql://u:p@db.example.org/connect"})
    assert list(unprotected(settings, {"PGSSLMODE": "verify-full"})) == []


def test_certificates_are_named_before_they_end(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    pem = certificate(tmp_path, "127.0.0.1", days=20)
    later, over = now - timedelta(days=15), now + timedelta(days=25)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
        with tls_before(port, pem) as broker, tls_before(port, pem, postgres=True) as database:
            settings = load(
                {
                    "CONNECT_DATABASE_URL": f"postgresql://u:p@127.0.0.1:{database}/connect?sslmode=verify-full",
                    "CONNECT_AMQP_URL": f"amqps://u:p@127.0.0.1:{broker}/connect?certfile={pem}",
                }
            )
            found = list(certificates(settings, {}, now))
            assert [remark.wrong for remark in found] == [False] * 3
            assert ["CONNECT_DATABASE_URL" in remark.said for remark in found] == [True, False, False]
            assert "Our certificate" in found[2].said
            assert all("in 19 days" in remark.said or "in 20 days" in remark.said for remark in found)
            assert list(certificates(settings, {}, later)) == []
            assert [remark.wrong for remark in certificates(settings, {}, over)] == [True] * 3
    assert len(list(certificates(settings, {}, now))) == 1  # who does not answer has another finding
