"""A small OpenID Connect provider on a real socket: it signs RS256 tokens, checks PKCE, and lies when it is told to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID = "connect"
SECRET = "s3cret/with+signs"


@dataclass
class Identity:
    """The provider. person: the claims of whoever logs in next; spoil: changes claims, sign: signs them otherwise."""

    url: str = ""
    person: dict[str, Any] = field(default_factory=lambda: {"sub": "u-1", "preferred_username": "kim"})
    spoil: Callable[[dict[str, Any]], None] = lambda _claims: None
    sign: Callable[[dict[str, Any]], str] | None = None
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1"}))
    issuer: str | None = None
    calls: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def change_key(self) -> None:
        """As providers do now and then."""
        self.key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4)})

    def unsigned(self, claims: dict[str, Any]) -> str:
        """A token that says `alg: none`."""
        return _packed({"alg": "none"}, claims) + "."

    def shared(self, claims: dict[str, Any]) -> str:
        """Signed with the public key as if it were a shared secret (HS256)."""
        text = _packed({"alg": "HS256", "kid": "1"}, claims)
        return f"{text}.{_letters(hmac.digest(self.key.as_pem(private=False), text.encode(), 'sha256'))}"

    def token(self, asked: dict[str, str]) -> str:
        """The ID token for what was asked for."""
        now = int(time.time())
        claims = {
            "iss": self.issuer or self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300,
            "nonce": asked["nonce"], **self.person,
        }  # fmt: skip
        self.spoil(claims)
        if self.sign is not None:
            return self.sign(claims)
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)


def _packed(*parts: dict[str, Any]) -> str:
    return ".".join(_letters(json.dumps(part).encode()) for part in parts)


def _letters(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def identity_provider() -> Iterator[Identity]:
    """It runs until the end of the block."""
    provider = Identity()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
            provider.calls.append(path)
            if path == "/.well-known/openid-configuration":
                self._json({
                    "issuer": provider.issuer or provider.url,
                    "authorization_endpoint": f"{provider.url}/authorize",
                    "token_endpoint": f"{provider.url}/token",
                    "jwks_uri": f"{provider.url}/keys",
                })  # fmt: skip
            elif path == "/keys":
                self._json({"keys": [provider.key.as_dict(private=False)]})
            elif path == "/authorize":
                asked = {name: values[0] for name, values in query.items()}
                fits = (asked["client_id"], asked["response_type"], asked["code_challenge_method"])
                assert fits == (CLIENT_ID, "code", "S256")
                code = secrets.token_urlsafe(8)
                provider.codes[code] = asked
                self.send_response(302)
                back = urlencode({"code": code, "state": asked["state"], "iss": provider.url})
                self.send_header("Location", f"{asked['redirect_uri']}?{back}")
                self.end_headers()
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            provider.calls.append(self.path)
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            asked = provider.codes.pop(form["code"][0], None)
            digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            pair = urlencode({"": CLIENT_ID})[1:] + ":" + urlencode({"": SECRET})[1:]
            known = self.headers.get("Authorization") == "Basic " + base64.b64encode(pair.encode()).decode()
            fits = asked and asked["code_challenge"] == challenge and asked["redirect_uri"] == form["redirect_uri"][0]
            if not known or not fits or asked is None:
                self._json({"error": "invalid_grant"}, 400)
                return
            self._json({"access_token": "x", "token_type": "Bearer", "id_token": provider.token(asked)})

        def _json(self, value: Any, status: int = 200) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
