"""Catches the mails of the demo: takes everything that comes by SMTP, keeps it in a folder, shows it in a browser.

Nothing leaves this machine. Served by `serve.py` beside the stand-ins, where it is asked for.
"""

from __future__ import annotations

import html
import threading
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import FastAPI
from starlette.responses import HTMLResponse, Response

MOST = 500
"""Older mails go."""

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta http-equiv="refresh" content="5">
<style>:root {{color-scheme: light dark}} body {{font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto;
max-width: 60rem; padding: 0 1rem}} td {{padding: .3rem 1rem .3rem 0; vertical-align: top}}</style>
<h1>{title}</h1>{body}</html>"""


_HARMLESS = "default-src 'none'; style-src 'unsafe-inline'"
"""A mail may hold anything: it may show, and do nothing."""


class MailCatcher:
    """What aiosmtpd calls, and the pages over it. folder: a file for each mail, by its number."""

    def __init__(self, folder: Path) -> None:
        """Mails of earlier runs in the folder stay."""
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.Lock()
        self.app = self._pages()

    def smtp(self) -> SMTP:
        """One conversation."""
        return SMTP(self, hostname="mails.localhost", enable_SMTPUTF8=True)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep one mail."""
        del server, session
        content = envelope.content or b""
        with self._lock:
            numbers = self._numbers()
            (self.folder / f"{(numbers[-1] if numbers else 0) + 1:06}.eml").write_bytes(
                content if isinstance(content, bytes) else content.encode()
            )
            for number in numbers[: len(numbers) + 1 - MOST]:
                self._path(number).unlink(missing_ok=True)
        return "250 OK"

    def listed(self) -> list[dict[str, Any]]:
        """Every mail, newest first: `no`, `at` (ISO 8601), `to`, `subject`, `text` (its plain part)."""
        return [self._as_json(number) for number in reversed(self._numbers())]

    def _numbers(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob("*.eml") if path.stem.isdecimal())

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.eml"

    def _mail(self, number: int) -> EmailMessage:
        mail = message_from_bytes(self._path(number).read_bytes(), policy=default)
        assert isinstance(mail, EmailMessage)
        return mail

    def _as_json(self, number: int) -> dict[str, Any]:
        mail = self._mail(number)
        part = mail.get_body(("plain",))
        at = datetime.fromtimestamp(self._path(number).stat().st_mtime, UTC)
        return {
            "no": number,
            "at": at.isoformat(timespec="seconds"),
            "to": str(mail["To"] or ""),
            "subject": str(mail["Subject"] or ""),
            "text": str(part.get_content()) if part is not None else "",
        }

    def _pages(self) -> FastAPI:
        app = FastAPI(title="Mails of the demo", openapi_url=None)

        @app.get("/")
        def index() -> HTMLResponse:
            """All of them."""
            rows = "".join(
                f"<tr><td>{one['at']}<td>{html.escape(one['to'])}"
                f'<td><a href="/mails/{one["no"]}">{html.escape(one["subject"])}</a>'
                for one in self.listed()
            )
            body = f"<table>{rows}</table>" if rows else "<p>No mail yet.</p>"
            return HTMLResponse(_PAGE.format(title="Mails of the demo", body=body))

        @app.get("/_sandbox/mails")
        def mails() -> dict[str, Any]:
            """All of them, for programs."""
            return {"mails": self.listed()}

        @app.get("/mails/{number}")
        def mail(number: int) -> Response:
            """One, as its reader sees it."""
            if not self._path(number).is_file():
                return HTMLResponse(_PAGE.format(title="No such mail", body='<p><a href="/">All mails</a>'), 404)
            part = self._mail(number).get_body(("html", "plain"))
            text = "" if part is None else str(part.get_content())
            if part is None or part.get_content_subtype() != "html":
                text = f"<pre>{html.escape(text)}</pre>"
            # A mail may hold anything: it may show, and do nothing.
            return HTMLResponse(
                text, headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
            )

        return app
