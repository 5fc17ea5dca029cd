"""The identity provider: OpenID Connect's authorization code flow with PKCE, and what its ID token has to prove.

Enters: settings, the code that a browser brings back. Leaves: who it is. Discovery and keys are kept for an hour; every
call has a deadline. The token is checked by joserfc: the signature by a key of the provider's and by an algorithm with
a public key (never `none`, never a shared secret), issuer, audience, time, nonce.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
KEPT_SECONDS = 3600.0
KEYS_AGAIN_SECONDS = 30.0
"""An unknown key is asked for again, but not more often: anybody can make one up."""

READ_SECONDS = 5.0
CALL_SECONDS = 10.0
LARGEST = 512 * 1024
CLOCK_SECONDS = 60
"""How far the two clocks may be apart."""


class ProviderError(Exception):
    """Nobody can be let in this way. code: why, for the page and the log; never what the provider sent."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Named:
    """Whom the provider names. role is None where none of its rules fits."""

    subject: str
    name: str
    role: str | None


@dataclass(frozen=True, slots=True)
class Departure:
    """Where to send the browser, and what its answer has to fit to."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Client:
    """How Connect is known to the provider, and which of its people have which role.

    roles: value of the claim → role; fallback: the role of everybody else, None to refuse them
    """

    issuer: str
    client_id: str
    secret: str | None
    claim: str
    roles: Mapping[str, str]
    fallback: str | None


@dataclass
class _Kept:
    """What was fetched last, and when (monotonic seconds)."""

    metadata: dict[str, Any] | None = None
    metadata_at: float = 0.0
    keys: KeySet | None = None
    keys_at: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Provider:
    """One provider. Used by many threads."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self.client = client
        self._clock, self._kept = clock, _Kept()

    def depart(self, back: str) -> Departure:
        """Begin a login; `back` is our address that the provider sends the browser to. Raises ProviderError."""
        endpoint = self._endpoint("authorization_endpoint")
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code", "client_id": self.client.client_id, "redirect_uri": back,
            "scope": "openid profile email", "state": state, "nonce": nonce,
            "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        return Departure(f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}", state, nonce, verifier)

    def arrive(self, code: str, verifier: str, nonce: str, back: str) -> Named:
        """Change the code for an ID token and say whom it names. Raises ProviderError."""
        client = self.client
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier,
            "client_id": client.client_id,
        }  # fmt: skip
        auth = None
        if client.secret is not None:
            known = self._metadata().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
            if "client_secret_basic" in known:
                # Both are form-encoded before they are put together (RFC 6749, 2.3.1).
                pair = [urlencode({"": part})[1:] for part in (client.client_id, client.secret)]
                auth = httpx2.BasicAuth(*pair)
            else:
                form["client_secret"] = client.secret
        answer = self._call("POST", self._endpoint("token_endpoint"), "token-refused", data=form, auth=auth)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise ProviderError("token-missing")
        return self._named(self._claims(token, nonce))

    def _claims(self, token: str, nonce: str) -> dict[str, Any]:
        try:
            try:
                found = jwt.decode(token, self._keys(), algorithms=ALGORITHMS)
            except (JoseError, ValueError, KeyError):
                # A key that changed since; with the new ones it is right or it never was.
                found = jwt.decode(token, self._keys(again=True), algorithms=ALGORITHMS)
            JWTClaimsRegistry(
                leeway=CLOCK_SECONDS,
                iss={"essential": True, "value": self.client.issuer},
                aud={"essential": True, "value": self.client.client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(found.claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise ProviderError("token-wrong") from error
        claims: dict[str, Any] = found.claims
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", self.client.client_id) != self.client.client_id or (several and "azp" not in claims):
            raise ProviderError("token-wrong")
        if not isinstance(claims["sub"], str) or not 1 <= len(claims["sub"]) <= 255:
            raise ProviderError("token-wrong")
        return claims

    def _named(self, claims: Mapping[str, Any]) -> Named:
        name = next(
            (claims[key] for key in ("preferred_username", "email", "name", "sub") if isinstance(claims.get(key), str)),
            claims["sub"],
        )
        value = claims.get(self.client.claim)
        values = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        mapped = [role for said, role in self.client.roles.items() if said in values]
        # Who is in several groups has the most that any of them may.
        for role in ("admin", "operator", "viewer"):
            if role in mapped:
                return Named(claims["sub"], name, role)
        return Named(claims["sub"], name, self.client.fallback)

    def _metadata(self) -> dict[str, Any]:
        with self._kept.lock:
            if self._kept.metadata is not None and self._clock() - self._kept.metadata_at < KEPT_SECONDS:
                return self._kept.metadata
            url = self.client.issuer.rstrip("/") + "/.well-known/openid-configuration"
            found = self._call("GET", url, "provider-away")
            if found.get("issuer") != self.client.issuer:
                raise ProviderError("issuer-differs")
            self._kept.metadata, self._kept.metadata_at = found, self._clock()
            return found

    def _endpoint(self, name: str) -> str:
        url = self._metadata().get(name)
        # A provider that is asked over https has no business sending passwords elsewhere in the clear.
        if not isinstance(url, str) or urlsplit(url).scheme not in ("https", urlsplit(self.client.issuer).scheme):
            raise ProviderError("provider-incomplete")
        return url

    def _keys(self, again: bool = False) -> KeySet:
        url = self._endpoint("jwks_uri")
        with self._kept.lock:
            age = self._clock() - self._kept.keys_at
            kept = self._kept.keys
            if kept is not None and age < (KEYS_AGAIN_SECONDS if again else KEPT_SECONDS):
                return kept
            found = self._call("GET", url, "provider-away")
            try:
                self._kept.keys = KeySet.import_key_set(found)  # type: ignore[arg-type]
            except (JoseError, ValueError, KeyError, TypeError) as error:
                raise ProviderError("provider-incomplete") from error
            self._kept.keys_at = self._clock()
            return self._kept.keys

    def _call(self, method: str, url: str, code: str, **more: Any) -> dict[str, Any]:
        """One call, bounded in time and size; redirects are not followed. Raises ProviderError."""
        ends = self._clock() + CALL_SECONDS
        body = b""
        try:
            with (
                httpx2.Client(timeout=READ_SECONDS, trust_env=False) as client,
                client.stream(method, url, headers={"Accept": "application/json"}, **more) as answer,
            ):
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > LARGEST or self._clock() > ends:
                        raise ProviderError("provider-away")
                status = answer.status_code
            found = json.loads(body) if status == 200 else None
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise ProviderError("provider-away") from error
        if not isinstance(found, dict):
            raise ProviderError(code)
        return found
