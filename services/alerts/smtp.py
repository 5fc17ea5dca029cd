"""Speaks with the mail server: a deadline on everything, the three kinds of answers kept apart.

`smtp://user:password@host:587?from=connect@example.org&starttls=required`; `smtps://` is encrypted from the start.
starttls: required, auto (where the server offers it; a password goes no other way), or no. Without a word it is
required, and auto where the server is on this machine.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from enum import StrEnum
from urllib.parse import parse_qs, unquote, urlsplit

from shared.near import is_near

DEADLINE = 20.0
"""For each word of the server."""

WHOLE_DEADLINE = 60.0
"""For the whole conversation: shorter than the lease of a mail, so that nobody else sends it meanwhile."""


class Fate(StrEnum):
    """sent: the server took it; refused: it never will; later: not now, or nobody knows."""

    SENT = "sent"
    REFUSED = "refused"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Server:
    """Where mails go. starttls: auto, required or no."""

    host: str
    port: int
    encrypted: bool
    user: str
    password: str
    sender: str
    starttls: str

    @classmethod
    def parse(cls, url: str) -> Server:
        """Read a URL. Raises ValueError for an unknown option."""
        parts, asked = urlsplit(url), parse_qs(urlsplit(url).query)
        encrypted = parts.scheme == "smtps"
        host = parts.hostname or "127.0.0.1"
        starttls = asked.get("starttls", ["auto" if is_near(host) else "required"])[0]
        if unknown := sorted(set(asked) - {"from", "starttls"}):
            raise ValueError(f"CONNECT_SMTP_URL has unknown options: {', '.join(unknown)}; use from and starttls")
        if starttls not in ("auto", "required", "no"):
            raise ValueError("CONNECT_SMTP_URL: starttls is auto, required or no")
        return cls(
            host,
            parts.port or (465 if encrypted else 25),
            encrypted,
            unquote(parts.username or ""),
            unquote(parts.password or ""),
            asked.get("from", [f"connect@{host if '.' in host and not host[0].isdigit() else 'connect.invalid'}"])[0],
            starttls,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a mail; text: the server's words, or ours about the network. Holds no password."""

    fate: Fate
    text: str


def send(server: Server, message: EmailMessage, recipient: str, deadline: float = DEADLINE) -> Answer:
    """Hand one message over. Never raises for what a network or a server can do."""
    try:
        with _connected(server, deadline) as smtp, _ended_after(smtp, min(WHOLE_DEADLINE, 3 * deadline)):
            smtp.send_message(message, from_addr=server.sender, to_addrs=[recipient])
            return Answer(Fate.SENT, "accepted")
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()), (450, b""))
        return _judged(code, text)
    except smtplib.SMTPResponseException as error:
        # Who may not log in today may tomorrow: a wrong password must not throw mails away.
        code = 454 if isinstance(error, smtplib.SMTPAuthenticationError) else error.smtp_code
        return _judged(code, error.smtp_error, said=error.smtp_code)
    except (OSError, smtplib.SMTPException) as error:
        return Answer(Fate.LATER, f"{server.host}:{server.port} {_words(error)}")


def _connected(server: Server, deadline: float) -> smtplib.SMTP:
    context = ssl.create_default_context()
    smtp: smtplib.SMTP
    if server.encrypted:
        smtp = smtplib.SMTP_SSL(server.host, server.port, timeout=deadline, context=context)
    else:
        smtp = smtplib.SMTP(server.host, server.port, timeout=deadline)
    try:
        with _ended_after(smtp, min(WHOLE_DEADLINE, 3 * deadline) / 2):
            smtp.ehlo()
            if not server.encrypted and server.starttls != "no":
                if smtp.has_extn("starttls"):
                    smtp.starttls(context=context)
                    smtp.ehlo()
                elif server.starttls == "required":
                    raise smtplib.SMTPNotSupportedError(
                        "does not offer STARTTLS, so nothing is sent; starttls=no in CONNECT_SMTP_URL sends unencrypted"
                    )
                elif server.user:
                    raise smtplib.SMTPNotSupportedError(
                        "does not offer STARTTLS, so the password stays here; starttls=no in CONNECT_SMTP_URL sends it"
                    )
            if server.user:
                smtp.login(server.user, server.password)
    except BaseException:
        smtp.close()
        raise
    return smtp


@contextmanager
def _ended_after(smtp: smtplib.SMTP, seconds: float) -> Iterator[None]:
    """Break the connection off after so long: a server that sends a letter now and then never meets a deadline of one
    read."""

    def end() -> None:
        with suppress(OSError):
            if smtp.sock is not None:
                smtp.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _judged(code: int, text: bytes | str, said: int | None = None) -> Answer:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return Answer(Fate.REFUSED if 500 <= code < 600 else Fate.LATER, f"{said or code} {words}".strip())


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
