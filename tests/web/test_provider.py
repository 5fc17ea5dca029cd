"""Logging in by an identity provider: who it names gets in with its role, and whatever does not fit gets nobody in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest

from services.journal.provider import Client, Provider
from shared.db.migrate import migrate
from shared.people.users import set_active
from tests.support.identity import CLIENT_ID, SECRET, Identity, identity_provider
from tests.support.site import Site, site_over

pytestmark = pytest.mark.servers


@dataclass
class Provided:
    site: Site
    identity: Identity
    provider: Provider
    now: list[float]

    def leave(self, target: str = "/orders") -> tuple[httpx2.Client, str]:
        """A browser that was sent to the provider, and the address with which it would come back."""
        browser = self.site.browser(None)
        away = browser.get("/login/provider", params={"next": target})
        assert away.status_code == 303, away.text
        back = httpx2.get(away.headers["location"])
        assert back.status_code == 302
        parts = urlsplit(back.headers["location"])
        return browser, f"{parts.path}?{parts.query}"

    def log_in(self) -> httpx2.Response:
        browser, back = self.leave()
        return browser.get(back)

    def users(self) -> list[tuple[Any, ...]]:
        return self.site.conn.execute("SELECT name, role, subject FROM users ORDER BY id").fetchall()


@pytest.fixture
def provided(database_url: str) -> Iterator[Provided]:
    migrate(database_url)
    now = [0.0]
    with identity_provider() as identity:
        roles = {"shop-admins": "admin", "shop-staff": "operator"}
        provider = Provider(Client(identity.url, CLIENT_ID, SECRET, "groups", roles, "viewer"), clock=lambda: now[0])
        # The Journal's own address is known once it listens; it is asked for when a login begins.
        with site_over(database_url, provider=provider, base_url="http://journal.test") as site:
            yield Provided(site, identity, provider, now)


def test_a_person_is_known_by_subject_and_has_the_role_of_the_provider(provided: Provided) -> None:
    provided.identity.person["groups"] = ["staff", "shop-staff"]
    browser, back = provided.leave("/exports?filter=state:failed")
    entered = browser.get(back)
    assert (entered.status_code, entered.headers["location"]) == (303, "/exports?filter=state:failed")
    assert browser.get("/api/v1/me").json() == {
        "name": "kim", "role": "operator", "language": None, "time_zone": None, "may_reveal": True,
    }  # fmt: skip
    assert browser.get(back).status_code == 400, "the same answer opens nothing twice"

    provided.identity.person |= {"groups": "shop-admins", "preferred_username": "kim.new"}
    assert provided.log_in().status_code == 303
    assert provided.users() == [("kim", "admin", "u-1")], "the same person under another name, with more rights"
    provided.identity.person["groups"] = []
    assert provided.log_in().status_code == 303
    assert provided.users() == [("kim", "admin", "u-1")], "the last admin stays one"
    provided.identity.person = {"sub": "u-2", "preferred_username": "kim"}
    assert provided.log_in().status_code == 303
    assert provided.users()[1] == ("kim (2)", "viewer", "u-2"), "the same name is somebody else"
    verbs = [
        row[0] for row in provided.site.conn.execute("SELECT verb FROM audit WHERE verb <> 'login.done' ORDER BY id")
    ]
    assert verbs == ["users.add", "users.change", "users.change", "users.add"]

    assert "kim (2)" not in provided.site.browser("admin").post("/login", data={"user": "kim (2)", "password": ""}).text
    set_active(provided.site.conn, "kim (2)", False)
    assert provided.log_in().status_code == 403


def _drop(name: str) -> Any:
    return lambda claims: claims.pop(name)


def _set(**other: Any) -> Any:
    return lambda claims: claims.update(other)


def test_a_token_that_does_not_fit_lets_nobody_in(provided: Provided) -> None:
    identity = provided.identity
    lies = {
        "another nonce": _set(nonce="other"), "no nonce": _drop("nonce"), "another issuer": _set(iss="https://x.test"),
        "for somebody else": _set(aud="other"), "for us by somebody else": _set(aud=[CLIENT_ID, "other"], azp="other"),
        "over": _set(exp=1), "no end": _drop("exp"), "from the future": _set(iat=4_000_000_000, nbf=4_000_000_000),
        "nobody": _drop("sub"), "a number": _set(sub=1),
    }  # fmt: skip
    for name, spoil in lies.items():
        identity.spoil = spoil
        assert provided.log_in().status_code == 401, name
    identity.spoil = lambda _claims: None
    for name, sign in {"unsigned": identity.unsigned, "a shared secret": identity.shared}.items():
        identity.sign = sign
        assert provided.log_in().status_code == 401, name
    stranger = Identity()
    identity.sign = lambda claims: stranger.token({"nonce": claims["nonce"]})
    assert provided.log_in().status_code == 401, "signed by somebody else"
    assert provided.users() == []

    identity.sign = None
    assert provided.log_in().status_code == 303
    identity.change_key()
    assert provided.log_in().status_code == 401, "an unknown key is not asked for again at once"
    provided.now[0] += 31
    assert provided.log_in().status_code == 303
    assert identity.calls.count("/.well-known/openid-configuration") == 1, "it is kept"


def test_an_answer_that_this_browser_did_not_ask_for_lets_nobody_in(provided: Provided) -> None:
    browser, back = provided.leave()
    stranger = provided.site.browser(None)
    assert stranger.get(back).status_code == 400, "another browser"
    query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
    path = urlsplit(back).path
    for wrong in ({"state": "made-up"}, {"iss": "https://x.test"}):
        browser, back = provided.leave()
        query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
        assert browser.get(f"{path}?{urlencode(query | wrong)}").status_code == 400, wrong
    browser, back = provided.leave()
    provided.site.conn.execute("UPDATE login_journeys SET started_at = started_at - interval '11 minutes'")
    assert browser.get(back).status_code == 400, "too late"
    browser, back = provided.leave()
    query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items() if name != "code"}
    assert browser.get(f"{path}?{urlencode(query)}&error=access_denied").status_code == 401
    browser, back = provided.leave("//evil.test")
    assert browser.get(back).headers["location"] == "/"


def test_a_provider_that_is_away_or_another_one_says_so(provided: Provided) -> None:
    provided.identity.issuer = "https://another.test"
    assert provided.site.browser(None).get("/login/provider").status_code == 503
    plain = Client("http://127.0.0.1:9", CLIENT_ID, None, "groups", {}, None)
    provided.provider.client = plain
    answer = provided.site.browser(None).get("/login/provider?lang=en")
    assert answer.status_code == 503
    assert "does not answer" in answer.text
