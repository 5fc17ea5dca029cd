"""A mail server on a free port: takes mails over a real socket, and is as awkward as the real ones when told to be."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


@dataclass
class MailServer:
    """What it got, and how it behaves. refuse: 550 for these addresses; grey: 451 so often for every address first;
    drop: break the connection so often after it has taken a mail, before it says so; hang: say nothing for so long."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)
    grey: int = 0
    drop: int = 0
    hang: float = 0.0
    asked: Counter[str] = field(default_factory=Counter)
    logins: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """As CONNECT_SMTP_URL takes it."""
        return f"smtp://127.0.0.1:{self.port}?from=connect@example.org"

    def to(self, address: str) -> list[EmailMessage]:
        """The mails to one address, in the order of arrival."""
        with self.lock:
            return [mail for mail in self.mails if mail["To"] == address]

    def ids(self, address: str) -> Counter[str]:
        """How often each Message-ID came to one address."""
        return Counter(str(mail["Message-ID"]) for mail in self.to(address))

    # -- what aiosmtpd calls ------------------------------------------------------------------------------------------

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth_data: Any
    ) -> AuthResult:
        del server, session, envelope, mechanism
        self.logins.append(auth_data.login.decode())
        return AuthResult(success=True)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[Any]
    ) -> str:
        del server, session, options
        if address in self.refuse:
            return "550 5.1.1 no such mailbox"
        self.asked[address] += 1
        if self.asked[address] <= self.grey:
            return "451 4.7.1 greylisted, try again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        del session
        if self.hang:
            await asyncio.sleep(self.hang)
        with self.lock:
            self.mails.append(message_from_bytes(envelope.content, policy=default))  # type: ignore[arg-type]
        if self.drop:
            self.drop -= 1
            server.transport.abort()
        return "250 OK"


@contextmanager
def mail_server(tls: ssl.SSLContext | None = None) -> Iterator[MailServer]:
    """A running one; with `tls` it offers STARTTLS."""
    found, loop, ready = MailServer(), asyncio.new_event_loop(), threading.Event()

    async def serve() -> None:
        server = await loop.create_server(
            lambda: SMTP(
                found, hostname="mail.test", tls_context=tls, authenticator=found.authenticate, auth_require_tls=False
            ),
            "127.0.0.1",
            0,
        )
        found.port = server.sockets[0].getsockname()[1]
        ready.set()

    loop.create_task(serve())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    assert ready.wait(10), "the mail server did not start"
    try:
        yield found
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def plain(mail: EmailMessage) -> str:
    """The plain twin."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def html(mail: EmailMessage) -> str:
    """The HTML twin."""
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())
