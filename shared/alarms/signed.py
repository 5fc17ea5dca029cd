"""The links of mails that act: signed, with an end, and kept nowhere. What a backup holds opens none of them.

    what it does + whose it is + when it was made ─▶ HMAC by CONNECT_SECRET_KEY ─▶ the last part of the link's address

A link does the one thing that it was made for: who passes on the link to leave an alarm passes on nothing else. After
another key became the newest one, links still open as long as the ring holds the key that signed them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from datetime import datetime
from typing import Literal

from shared.seal import ring

Deed = Literal["leave", "confirm", "answer"]
LASTS_DAYS: dict[Deed, int] = {"leave": 400, "confirm": 30, "answer": 30}
"""To leave is possible for as long as anybody may keep a mail."""
_BODY = struct.Struct(">QI")
_MAC_BYTES = 18


class Links:
    """Signs links and reads them. A key takes some 50 ms, so a process makes one."""

    def __init__(self, secret_keys: str) -> None:
        """secret_keys: what CONNECT_SECRET_KEY holds; the newest signs, all of them are believed."""
        self._keys = [
            hashlib.scrypt(key.encode(), salt=b"connect-links-1", n=2**14, r=8, p=1, dklen=32)
            for key in ring(secret_keys)
        ]
        if not self._keys:
            raise ValueError("CONNECT_SECRET_KEY holds no key")

    def sign(self, deed: Deed, recipient: int, made_at: datetime) -> str:
        """The part of an address that says who acts and since when it may."""
        body = _BODY.pack(recipient, int(made_at.timestamp()))
        return base64.urlsafe_b64encode(body + _mac(self._keys[0], deed, body)).decode()

    def read(self, deed: Deed, text: str, now: datetime) -> int | None:
        """Whose link it is; None for one that nobody made for this, or whose time is over. now: by the database."""
        try:
            raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            return None
        if len(raw) != _BODY.size + _MAC_BYTES or base64.urlsafe_b64encode(raw).decode() != text:
            return None
        body, mac = raw[: _BODY.size], raw[_BODY.size :]
        if not any(hmac.compare_digest(_mac(key, deed, body), mac) for key in self._keys):
            return None
        recipient, made = _BODY.unpack(body)
        return int(recipient) if now.timestamp() - made <= LASTS_DAYS[deed] * 86_400 else None


def _mac(key: bytes, deed: Deed, body: bytes) -> bytes:
    return hmac.new(key, deed.encode() + b"\0" + body, "sha256").digest()[:_MAC_BYTES]
