"""TLS to the database and the broker: only the right server, with TLS that is not outdated, hears a password.

The servers themselves speak plain; in front of each stands one of ours that speaks TLS, so that what is tested is what
Connect's clients accept.
"""

from __future__ import annotations

import socket
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from shared.broker.address import parse
from shared.broker.apply import apply, check
from shared.broker.delivery import BrokerGone, Fate, Message
from shared.broker.open import open_publisher
from shared.db.connect import connect, open_pool
from tests.support.brokers import consuming, gather
from tests.support.tls_proxy import certificate, tls_before

pytestmark = pytest.mark.servers
KEY = "order-imported.v1.otto-de"


def through(url: str, port: int, **options: object) -> str:
    """The same server, reached by another port, with options behind the question mark."""
    parts = urlsplit(url)
    place = f"{parts.netloc.rpartition(':')[0]}:{port}"
    return parts._replace(netloc=place, query=urlencode(options)).geturl()


def the_server_is_outdated(port: int) -> bool:
    """Whether somebody who accepts anything gets in: then it is our client who refuses it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), 5)) as found:
        return found.version() in ("TLSv1", "TLSv1.1")


def test_the_database_is_reached_over_tls_or_not_at_all(database_url: str, tmp_path: Path) -> None:
    port = urlsplit(database_url).port
    assert port is not None
    names = {"right": "127.0.0.1", "wrong": "database.example.org", "stranger": "127.0.0.1", "over": "127.0.0.1"}
    pems = {}
    for name, host in names.items():
        (tmp_path / name).mkdir()
        pems[name] = certificate(tmp_path / name, host, days=-1 if name == "over" else 1)
    demands = {"sslmode": "verify-full", "sslrootcert": pems["right"]}

    def ways(url: str) -> list[Callable[[], object]]:
        def pooled() -> None:
            with open_pool(url, "tests", 1) as pool, pool.connection(2) as conn:
                assert conn.pgconn.ssl_in_use

        def alone() -> None:
            with connect(url, "tests") as conn:
                assert conn.pgconn.ssl_in_use

        return [pooled, alone, lambda: check("pgmq" + url.removeprefix("postgresql"))]

    apply("pgmq" + database_url.removeprefix("postgresql"))
    with tls_before(port, pems["right"], postgres=True) as secured:
        for way in ways(through(database_url, secured, **demands)):
            way()
    for name, says in (("wrong", "does not match host name"), ("stranger", "verify failed"), ("over", "verify failed")):
        with tls_before(port, pems[name], postgres=True) as secured:
            trusts = pems["right"] if name == "stranger" else pems[name]
            url = through(database_url, secured, sslmode="verify-full", sslrootcert=trusts)
            for way in ways(url) if name == "wrong" else ():
                with pytest.raises((psycopg.OperationalError, PoolTimeout, BrokerGone)):
                    way()
            with pytest.raises(psycopg.OperationalError, match=says):
                connect(url, "tests")
    with (
        tls_before(port, pems["right"], postgres=True, outdated=True) as secured,
        pytest.raises(psycopg.OperationalError, match=r"SSL error|protocol"),
    ):
        connect(through(database_url, secured, **demands), "tests")
    with pytest.raises(psycopg.OperationalError, match="does not support SSL, but SSL was required"):
        connect(through(database_url, port, **demands), "tests")  # the server itself, which speaks plain


def test_the_broker_is_reached_over_tls_or_not_at_all(amqp_url: str, tmp_path: Path) -> None:
    port = parse(amqp_url).port
    plain = amqp_url.replace("amqp:", "amqps:")
    (tmp_path / "over").mkdir()
    server, client = certificate(tmp_path, "127.0.0.1"), certificate(tmp_path, "connect.example.org")
    over = certificate(tmp_path / "over", "127.0.0.1", days=-1)
    other = certificate(tmp_path / "over", "broker.example.org")
    shown = {"cacertfile": server, "certfile": client, "keyfile": client.with_suffix(".key")}

    def fate(url: str, seconds: float) -> Fate:
        publisher = open_publisher(url, name="tests")
        try:
            return publisher.publish([Message(b"1", KEY)], deadline=seconds)[0]
        finally:
            publisher.close()

    def refused(url: str) -> None:
        assert fate(url, 3) is Fate.UNKNOWN
        with pytest.raises(BrokerGone), consuming(url, "order-imported"):
            pass

    with tls_before(port, server, clients=client) as secured:
        url = through(plain, secured, **shown)
        assert fate(url, 20) is Fate.CONFIRMED
        with consuming(url, "order-imported") as consumer:
            consumer.ack(gather(consumer, 1))
        assert check(url) == []
        refused(through(plain, secured, cacertfile=server))  # without its own certificate
        refused(through(plain, secured, cacertfile=server, certfile=server, keyfile=server.with_suffix(".key")))
    with tls_before(port, server, outdated=True) as secured:
        assert the_server_is_outdated(secured)
        refused(through(plain, secured, cacertfile=server))
    for wrong in (over, other):  # trusted, and over or of another name
        with tls_before(port, wrong) as secured:
            refused(through(plain, secured, cacertfile=wrong))
    refused(through(plain, port, cacertfile=server))  # the server itself, which speaks plain
    with consuming(amqp_url, "order-imported") as consumer:
        assert consumer.collect(0.2) == []
