"""Credentials at rest: each secret opens at its own place only, with any key of the ring, and says why it does not."""

from __future__ import annotations

import json
import secrets

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.seal import NONCE_BYTES, UNNAMED, Seal, SealError, _derived, key_id, ring

OLD, NEW = "the-former-key-of-the-tests", "the-newest-key-of-the-tests"
PLACE = "otto-de/erp/token"
FORMER, NEWEST, BOTH = Seal(OLD), Seal(NEW), Seal(f"{NEW}\n{OLD}\n")


def first_form(key: str, place: str, values: dict[str, str]) -> bytes:
    """As releases before the ring sealed a side."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    cipher: AESGCM = _derived(key).cipher
    return b"\x01" + nonce + cipher.encrypt(nonce, json.dumps(values).encode(), place.encode())


def test_a_ring_has_one_key_a_line_and_the_first_one_seals() -> None:
    assert ring(f"\n {NEW} \r\n\n{OLD}\n{NEW}\n") == [NEW, OLD]
    assert BOTH.newest == NEWEST.newest != FORMER.newest
    assert BOTH.ids() == [NEWEST.newest, FORMER.newest]
    sealed = BOTH.seal(PLACE, "tökén")
    assert key_id(sealed) == NEWEST.newest
    assert NEWEST.open(PLACE, sealed) == "tökén"
    assert BOTH.open(PLACE, FORMER.seal(PLACE, "old")) == "old"
    assert b"token" not in BOTH.seal(PLACE, "token")
    with pytest.raises(ValueError, match="no key"):
        Seal(" \n")


@pytest.mark.parametrize("place", ["otto-at/erp/token", "otto-de/marketplace/token", "otto-de/erp/webhook_key"])
def test_what_was_copied_from_elsewhere_does_not_open(place: str) -> None:
    with pytest.raises(SealError, match=f"{place} holds something that was not sealed for it"):
        NEWEST.open(place, NEWEST.seal(PLACE, "secret"))


def test_a_missing_key_is_named_and_a_key_cannot_be_swapped() -> None:
    sealed = FORMER.seal(PLACE, "secret")
    with pytest.raises(SealError) as caught:
        NEWEST.open(PLACE, sealed)
    assert FORMER.newest in str(caught.value)
    assert NEWEST.newest in str(caught.value)
    assert "further line" in str(caught.value)
    renamed = sealed[:1] + bytes.fromhex(NEWEST.newest) + sealed[5:]
    for damaged in (renamed, sealed[:-1], sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:7], b"\x02", b"", b"\x03abc"):
        with pytest.raises(SealError):
            BOTH.open(PLACE, damaged)


def test_the_first_form_still_opens_with_any_key_and_at_its_side_only() -> None:
    sealed = first_form(OLD, "otto-de/erp", {"token": "geheim"})
    assert key_id(sealed) == UNNAMED
    assert BOTH.open_side("otto-de/erp", sealed) == {"token": "geheim"}
    for seal, place in ((NEWEST, "otto-de/erp"), (BOTH, "otto-de/marketplace")):
        with pytest.raises(SealError, match="cannot be opened"):
            seal.open_side(place, sealed)
