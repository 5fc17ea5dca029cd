"""What leaves this machine unencrypted, and which certificate ends soon: looks of `connect doctor`.

Enters: the URLs of database, broker and mail server, and the Journal's own. Leaves: what is worth a look, one sentence
each.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
from cryptography import x509
from psycopg.conninfo import conninfo_to_dict

from shared.broker.address import parse
from shared.near import is_near, is_this_machine
from shared.settings import Settings

SECONDS = 3.0
SOON = timedelta(days=30)
# A client of PostgreSQL asks for TLS with these eight bytes, and is answered with one letter.
ASK_POSTGRES = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class Way:
    """One server as a setting names it.

    tls: `checked` (only the right server hears anything), `unchecked` (encrypted, whoever it is) or `none`. speaks:
    how TLS begins there, `postgres`, `tls` from the first byte, or empty where it is not looked at. certificate: our
    own one. fix: what makes it `checked`.
    """

    setting: str
    host: str
    port: int
    tls: str
    fix: str
    speaks: str = ""
    certificate: str | None = None

    @property
    def near(self) -> bool:
        """Whether it stays on this machine, or between containers of one host."""
        return is_near(self.host)


@dataclass(frozen=True, slots=True)
class Remark:
    """wrong: it does not work any more; else it will not for long, or works without protection."""

    wrong: bool
    said: str
    fix: str


def ways(settings: Settings, environment: Mapping[str, str]) -> Iterator[Way]:
    """Database, broker and mail server, those that are set."""
    if settings.database_url is not None:
        yield from _postgres("CONNECT_DATABASE_URL", str(settings.database_url), environment)
    if settings.amqp_url is not None:
        where = parse(str(settings.amqp_url))
        if where.scheme == "pgmq":
            url = str(settings.amqp_url).partition("?")[0]
            options = "&".join(f"{name}={value}" for name, value in where.options.items() if name.startswith("ssl"))
            yield from _postgres("CONNECT_AMQP_URL", f"postgresql{url.removeprefix('pgmq')}?{options}", environment)
        else:
            for host, port in where.nodes:
                yield Way(
                    "CONNECT_AMQP_URL", host, port, "checked" if where.tls else "none", "amqps://…?cacertfile=FILE",
                    "tls" if where.tls else "", where.options.get("certfile"),
                )  # fmt: skip
    if settings.smtp_url is not None:
        parts = urlsplit(str(settings.smtp_url))
        required = parse_qs(parts.query).get("starttls", ["required"]) == ["required"]
        safe = parts.scheme == "smtps" or required
        yield Way(
            "CONNECT_SMTP_URL", parts.hostname or "localhost", parts.port or 465, "checked" if safe else "none",
            "smtps://…, or smtp://… without starttls=auto and starttls=no", "tls" if parts.scheme == "smtps" else "",
        )  # fmt: skip


def unprotected(settings: Settings, environment: Mapping[str, str]) -> Iterator[Remark]:
    """What goes to another machine so that others can read it, or so that nobody looks who reads it."""
    for way in ways(settings, environment):
        if way.tls != "checked" and not way.near:
            how = "unencrypted" if way.tls == "none" else "encrypted to whoever answers"
            yield Remark(False, f"{way.setting} leaves this machine {how}: {way.host}.", way.fix)


def pages(settings: Settings) -> Iterator[Remark]:
    """Whether people reach the Journal over a network without TLS."""
    url = settings.base_url
    if url.scheme != "https" and not is_this_machine(url.host or ""):
        yield Remark(
            False,
            f"CONNECT_BASE_URL is {url}: passwords, cookies and what the Journal shows travel unencrypted.",
            "Put a proxy with TLS in front of the Journal, then set CONNECT_BASE_URL=https://… for all services.",
        )


def certificates(settings: Settings, environment: Mapping[str, str], now: datetime) -> Iterator[Remark]:
    """Certificates, the servers' and our own, that are over or end within 30 days."""
    seen: set[tuple[str, int] | str] = set()
    for way in ways(settings, environment):
        if way.speaks and way.tls != "none" and (way.host, way.port) not in seen:
            seen.add((way.host, way.port))
            if (ends := _shown(way)) is not None:
                yield from _ending(f"The certificate of {way.host} ({way.setting})", ends, now)
        if way.certificate is not None and way.certificate not in seen:
            seen.add(way.certificate)
            ends = x509.load_pem_x509_certificate(Path(way.certificate).read_bytes()).not_valid_after_utc
            yield from _ending(f"Our certificate {way.certificate} ({way.setting})", ends, now)


def _ending(what: str, ends: datetime, now: datetime) -> Iterator[Remark]:
    if ends <= now:
        yield Remark(True, f"{what} is over since {ends:%Y-%m-%d}.", "Renew it; the next connection takes the new one.")
    elif ends - now <= SOON:
        left = (ends - now).days
        yield Remark(
            False,
            f"{what} ends on {ends:%Y-%m-%d}, in {left} days.",
            "Renew it; the next connection takes the new one.",
        )


def _postgres(setting: str, url: str, environment: Mapping[str, str]) -> Iterator[Way]:
    try:
        said = conninfo_to_dict(url)
    except psycopg.Error:
        said = {}
    mode = str(said.get("sslmode") or environment.get("PGSSLMODE") or "prefer")
    tls = "checked" if mode == "verify-full" else "unchecked" if mode in ("require", "verify-ca") else "none"
    hosts = str(said.get("host") or "localhost").split(",")
    ports = str(said.get("port") or 5432).split(",")
    certificate = said.get("sslcert")
    for host, port in zip(hosts, ports * len(hosts) if len(ports) == 1 else ports, strict=True):
        yield Way(
            setting, host, int(port or 5432), tls, "sslmode=verify-full and sslrootcert=FILE behind it",
            "" if host.startswith("/") else "postgres", str(certificate) if certificate else None,
        )  # fmt: skip


def _shown(way: Way) -> datetime | None:
    """Until when the certificate holds that the server shows; None where it does not answer, which others look at.

    Whether it is the right one is not asked here, and nothing is said to the server.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((way.host, way.port), SECONDS) as raw:
            if way.speaks == "postgres":
                raw.sendall(ASK_POSTGRES)
                if raw.recv(1) != b"S":
                    return None
            with context.wrap_socket(raw, server_hostname=way.host) as secured:
                found = secured.getpeercert(binary_form=True)
    except OSError:
        return None
    return None if found is None else x509.load_der_x509_certificate(found).not_valid_after_utc


def today() -> datetime:
    """Now; whether a certificate holds is decided by the clock of the machine that reads it."""
    return datetime.now(UTC)
