"""Logging in: sessions begin and end when they should, guessing is braked, nobody is sent to another site."""

from __future__ import annotations

import concurrent.futures

import pytest

from shared.db.connect import connect
from shared.people.throttle import PER_ACCOUNT, PER_ADDRESS, Throttled
from shared.people.users import UserError, add_user, check_password, ensure_user, list_users
from tests.web.conftest import PASSWORD, Site

pytestmark = pytest.mark.servers


def _open(browser) -> bool:  # type: ignore[no-untyped-def]
    return bool(browser.get("/orders").status_code == 200)


def test_a_session_ends_with_logout_even_for_whoever_copied_the_cookie(site: Site) -> None:
    browser = site.browser("viewer")
    cookie = browser.cookies["connect_session"]
    assert _open(browser)
    assert browser.post("/logout").headers["location"] == "/login"
    assert not _open(browser)
    thief = site.browser(None)
    thief.cookies.set("connect_session", cookie)
    assert not _open(thief)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sessions SET seen_at = now() - interval '12 hours 1 minute'",
        "UPDATE sessions SET created_at = now() - interval '7 days 1 minute', seen_at = now()",
        "UPDATE sessions SET revoked_at = now()",
        "UPDATE users SET active = false",
    ],
)
def test_a_session_ends_when_idle_old_revoked_or_its_user_is_locked(site: Site, statement: str) -> None:
    browser = site.browser("viewer")
    assert _open(browser)
    site.conn.execute(statement)
    assert not _open(browser)


def test_another_password_ends_every_session(site: Site) -> None:
    browser = site.browser("operator")
    assert site.api("admin").post("/api/v1/users/operator-0", json={"password": "another long one"}).status_code == 200
    assert not _open(browser)


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(site: Site) -> None:
    add_user(site.conn, "erika", PASSWORD, "viewer")
    answer = site.browser(None).post("/login", data={"user": "Erika", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    stored = site.conn.execute("SELECT hash FROM sessions").fetchone()
    assert stored is not None
    assert answer.cookies["connect_session"].encode() not in bytes(stored[0])


def test_logging_in_again_closes_the_session_that_was_there(site: Site) -> None:
    browser = site.browser("viewer")
    old = browser.cookies["connect_session"]
    browser.post("/login", data={"user": "viewer-0", "password": PASSWORD})
    assert browser.cookies["connect_session"] != old
    rows = site.conn.execute("SELECT revoked_at IS NULL FROM sessions ORDER BY created_at").fetchall()
    assert rows == [(False,), (True,)]


def test_guessing_is_braked_per_account_and_says_how_long_to_wait(site: Site) -> None:
    add_user(site.conn, "erika", PASSWORD, "viewer")
    browser = site.browser(None)
    for _ in range(PER_ACCOUNT):
        assert browser.post("/login", data={"user": "erika", "password": "wrong wrong"}).status_code == 401
    answer = browser.post("/login", data={"user": "ERIKA ", "password": PASSWORD})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 300
    site.conn.execute("UPDATE login_failures SET started_at = now() - interval '6 minutes'")
    assert browser.post("/login", data={"user": "erika", "password": PASSWORD}).status_code == 303


def test_guessing_is_braked_per_address_and_holds_for_tries_at_once(site: Site) -> None:
    url = str(site.conn.info.dsn) + f" password={site.conn.info.password}"

    def guess(number: int) -> str:
        with connect(url, "tests") as conn:
            try:
                check_password(conn, f"name-{number}", "x" * 300, "192.0.2.1")  # too long to be hashed: quick
            except Throttled:
                return "braked"
            return "looked at"

    with concurrent.futures.ThreadPoolExecutor(8) as many:
        answers = list(many.map(guess, range(PER_ADDRESS + 10)))
    assert answers.count("looked at") == PER_ADDRESS
    rows = site.conn.execute("SELECT count(*) FROM login_failures WHERE octet_length(subject) <> 32").fetchone()
    assert rows == (0,)  # addresses and names are kept as hashes


def test_a_right_password_forgets_the_wrong_ones(site: Site) -> None:
    add_user(site.conn, "erika", PASSWORD, "viewer")
    for _ in range(3):
        for _ in range(PER_ACCOUNT - 1):
            assert check_password(site.conn, "erika", "x" * 300, "192.0.2.1") is None
        assert check_password(site.conn, "erika", PASSWORD, "192.0.2.1") is not None
        site.conn.execute("UPDATE login_failures SET failures = 0")


@pytest.mark.parametrize(
    "target", ["//evil.example.org", "/\\evil.example.org", "https://evil.example.org", "/\r\nX: y"]
)
def test_nobody_is_sent_to_another_site_after_login(site: Site, target: str) -> None:
    add_user(site.conn, "erika", PASSWORD, "viewer")
    answer = site.browser(None).post("/login", data={"user": "erika", "password": PASSWORD, "next": target})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_the_way_to_a_page_is_kept_over_the_login(site: Site) -> None:
    add_user(site.conn, "erika", PASSWORD, "viewer")
    browser = site.browser(None)
    sent = browser.get("/orders?filter=state:failed").headers["location"]
    assert sent == "/login?next=%2Forders%3Ffilter%3Dstate%3Afailed"
    assert 'value="/orders?filter=state:failed"' in browser.get(sent).text


def test_ensuring_a_user_twice_changes_nothing_and_a_new_password_counts(site: Site) -> None:
    ensure_user(site.conn, "demo", PASSWORD, "operator")
    ensure_user(site.conn, "demo", PASSWORD, "operator")
    assert [user["name"] for user in list_users(site.conn)] == ["demo"]
    ensure_user(site.conn, "demo", "another long one", "admin")
    assert check_password(site.conn, "demo", PASSWORD, "a") is None
    assert check_password(site.conn, "demo", "another long one", "a") is not None
    assert list_users(site.conn)[0]["role"] == "admin"
    with pytest.raises(UserError, match="already"):
        add_user(site.conn, "DEMO", PASSWORD, "viewer")
