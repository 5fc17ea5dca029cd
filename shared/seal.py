"""Seals credentials before they are stored: AES-256-GCM, each secret by itself, bound to the place it belongs to.

What was sealed for one interface, side and name does not open for another: a row copied in the database is worthless.
CONNECT_SECRET_KEY holds a ring of keys, one a line, the newest first: the newest seals, all of them open. A sealed
value begins with the id of its key, so that it is known which keys are still needed. A guess at an id costs an attacker
as much as one at a value: both come out of scrypt.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

WHOLE_SIDE = 1
"""The first form: every secret of a side in one, bound to `otto-de/erp`, without a key id. Opened, never written."""

ONE_SECRET = 2
NONCE_BYTES = 12
ID_BYTES = 4
KEY_LETTERS = 16
"""A key is at least this long."""

UNNAMED = "without an id"
"""Stands for the key id of the first form."""


class SealError(ValueError):
    """A sealed value cannot be opened: its key is missing, or it was copied here. The text says what to do."""


@dataclass(frozen=True, slots=True)
class _Key:
    id: bytes
    cipher: AESGCM


def _derived(secret: str) -> _Key:
    # The first 32 bytes are what the first form used as its key.
    both = hashlib.scrypt(secret.encode(), salt=b"connect-seal-1", n=2**14, r=8, p=1, dklen=32 + ID_BYTES)
    return _Key(both[32:], AESGCM(both[:32]))


def ring(text: str) -> list[str]:
    """The keys of CONNECT_SECRET_KEY, newest first: one a line, blank lines and repetitions left out."""
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def key_id(sealed: bytes) -> str:
    """The id of the key that a value was sealed with, or `UNNAMED`."""
    return sealed[1 : 1 + ID_BYTES].hex() if sealed[:1] == bytes([ONE_SECRET]) else UNNAMED


class Seal:
    """Seals with the newest key of a ring and opens with any. A key takes some 50 ms, so a process makes one `Seal`."""

    def __init__(self, secret_keys: str) -> None:
        """secret_keys: what CONNECT_SECRET_KEY holds. Raises ValueError where it holds none."""
        found = ring(secret_keys)
        if not found:
            raise ValueError("CONNECT_SECRET_KEY holds no key")
        self._lock = threading.Lock()
        self._older = found[1:]
        self._keys = [_derived(found[0])]

    @property
    def newest(self) -> str:
        """The id of the key that seals."""
        return self._keys[0].id.hex()

    def ids(self) -> list[str]:
        """The ids of all keys, the newest first."""
        return [key.id.hex() for key in self._all()]

    def seal(self, place: str, value: str) -> bytes:
        """Encrypt one secret for one place, e.g. `otto-de/erp/token`."""
        key, nonce = self._keys[0], secrets.token_bytes(NONCE_BYTES)
        head = bytes([ONE_SECRET]) + key.id
        return head + nonce + key.cipher.encrypt(nonce, value.encode(), head + place.encode())

    def open(self, place: str, sealed: bytes) -> str:
        """Decrypt what was sealed for this place. Raises SealError."""
        head, rest = sealed[: 1 + ID_BYTES], sealed[1 + ID_BYTES :]
        if head[:1] != bytes([ONE_SECRET]):
            raise SealError(f"{place} is sealed in a form that this release does not know.")
        key = next((key for key in self._all() if key.id == head[1:]), None)
        if key is None:
            raise SealError(
                f"{place} is sealed with the key {head[1:].hex()}, which CONNECT_SECRET_KEY does not hold; it holds"
                f" {', '.join(self.ids())}. Add that key as a further line, or enter the secret again."
            )
        try:
            return key.cipher.decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], head + place.encode()).decode()
        except (InvalidTag, ValueError):
            raise SealError(
                f"{place} holds something that was not sealed for it: a row copied from elsewhere, or a damaged one."
                " Enter the secret again."
            ) from None

    def open_side(self, place: str, sealed: bytes) -> dict[str, Any]:
        """Decrypt the first form: all secrets of a side, e.g. `otto-de/erp`. Raises SealError."""
        nonce, text = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        for key in self._all():
            try:
                return dict(json.loads(key.cipher.decrypt(nonce, text, place.encode())))
            except (InvalidTag, ValueError):
                continue
        raise SealError(
            f"The credentials of {place} cannot be opened: CONNECT_SECRET_KEY does not hold the key that sealed them,"
            " or the row was copied from elsewhere. Add the former key as a further line, or enter the secrets again."
        )

    def _all(self) -> list[_Key]:
        """Every key; the older ones are made when somebody needs them."""
        with self._lock:
            while self._older:
                self._keys.append(_derived(self._older.pop(0)))
            return self._keys
