"""Seals credentials before they are stored: AES-256-GCM, bound to the place they belong to.

What was sealed for one interface and side does not open for another, so a row copied in the database is worthless.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = b"\x01"
NONCE_BYTES = 12


class SealError(ValueError):
    """The sealed values cannot be opened: another CONNECT_SECRET_KEY, or a copied row."""


def _cipher(secret_key: str) -> AESGCM:
    return AESGCM(hashlib.scrypt(secret_key.encode(), salt=b"connect-seal-1", n=2**14, r=8, p=1, dklen=32))


class Seal:
    """Seals and opens with one secret key. Making one takes some 50 ms, so a process makes it once."""

    def __init__(self, secret_key: str) -> None:
        self._cipher = _cipher(secret_key)

    def seal(self, place: str, values: dict[str, str]) -> bytes:
        """Encrypt `values` for one place, e.g. `otto-de/erp`."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return VERSION + nonce + self._cipher.encrypt(nonce, json.dumps(values).encode(), place.encode())

    def open(self, place: str, sealed: bytes) -> dict[str, Any]:
        """Decrypt what was sealed for this place. Raises SealError."""
        try:
            nonce, text = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
            return dict(json.loads(self._cipher.decrypt(nonce, text, place.encode())))
        except (InvalidTag, ValueError):
            raise SealError(f"the credentials of {place} cannot be opened: is CONNECT_SECRET_KEY the same?") from None
