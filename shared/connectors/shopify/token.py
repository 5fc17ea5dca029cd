"""The access token: the one of the settings, or one fetched with the app's id and secret, which all workers share."""

from __future__ import annotations

from shared.connectors.contract import Reason, RemoteError
from shared.connectors.contract import Token as Fetched
from shared.connectors.http import Http
from shared.connectors.shopify.settings import ShopifySettings

PATH = "/admin/oauth/access_token"
ACCESS = "access"
"""The name of the one token that all calls of a shop use."""


class Token:
    """Safe for many threads."""

    def __init__(self, settings: ShopifySettings, http: Http) -> None:
        self._settings = settings
        self._http = http

    def __repr__(self) -> str:
        return "Token(…)"

    def get(self) -> tuple[str, bool]:
        """The token, and whether there is no point in fetching another one: it is new, or not ours to renew."""
        if not self._settings.client_id:
            assert self._settings.access_token is not None  # the settings' own rule
            return self._settings.access_token.get_secret_value(), True
        return self._http.tokens.get(ACCESS, self._fetch)

    def drop(self, token: str) -> None:
        """Forget a token that was refused, unless another worker has renewed it already."""
        self._http.tokens.drop(ACCESS, token)

    def _fetch(self) -> Fetched:
        assert self._settings.client_secret is not None
        form = {
            "grant_type": "client_credentials",
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret.get_secret_value(),
        }
        try:
            body = self._http.request_json("token", "POST", PATH, data=form, only_reads=True).body
        except RemoteError as error:
            if error.reason is Reason.INVALID:
                # OAuth 2 answers 400 to credentials it does not know.
                raise RemoteError(Reason.UNAUTHORISED, error.detail, status=error.status) from None
            raise
        try:
            return Fetched(str(body["access_token"]), float(body.get("expires_in", 86_400)))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise RemoteError(Reason.BROKEN_ANSWER, "token: the answer holds no token") from None
