"""The session's cookie. Over https it is bound to this very host (`__Host-`), which plain http does not allow."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from shared.people.federated import MINUTES
from shared.people.sessions import LONGEST_DAYS


def cookie_name(secure: bool) -> str:
    """The cookie's name."""
    return "__Host-connect_session" if secure else "connect_session"


def session_token(request: Request, secure: bool) -> str | None:
    """What the browser sent."""
    return request.cookies.get(cookie_name(secure)) or None


def set_session(response: Response, token: str, secure: bool) -> None:
    """Hand the session to the browser."""
    response.set_cookie(
        cookie_name(secure),
        token,
        max_age=LONGEST_DAYS * 86_400,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def drop_session(response: Response, secure: bool) -> None:
    """Make the browser forget it."""
    response.delete_cookie(cookie_name(secure), path="/", secure=secure, httponly=True, samesite="lax")


def journey_state(request: Request, secure: bool) -> str | None:
    """The state of the login that this browser is on."""
    return request.cookies.get(_journey_name(secure)) or None


def set_journey(response: Response, state: str, secure: bool) -> None:
    """Remember it while the browser is at the provider; lax, as it comes back by a link of another site."""
    response.set_cookie(
        _journey_name(secure), state, max_age=MINUTES * 60, path="/", secure=secure, httponly=True, samesite="lax"
    )


def drop_journey(response: Response, secure: bool) -> None:
    """Forget it."""
    response.delete_cookie(_journey_name(secure), path="/", secure=secure, httponly=True, samesite="lax")


def _journey_name(secure: bool) -> str:
    return "__Host-connect_login" if secure else "connect_login"
