"""Another site cannot act with somebody's cookie, and every answer tells the browser what it may do."""

from __future__ import annotations

import pytest

from tests.web.conftest import Site

pytestmark = pytest.mark.servers


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "{own}"}, False),
        ({"Origin": "{own}"}, True),
        ({"Origin": "https://evil.example.org"}, False),
        ({"Origin": "null"}, False),
        ({}, False),
    ],
)
def test_acting_with_a_cookie_takes_our_own_page(site: Site, headers: dict[str, str], allowed: bool) -> None:
    browser = site.browser("operator")
    del browser.headers["Sec-Fetch-Site"]
    sent = {name: value.replace("{own}", site.url) for name, value in headers.items()}
    for path in ("/api/v1/orders/retry", "/orders/retry"):
        answer = browser.post(path, headers=sent)
        assert (answer.status_code != 403) == allowed, (path, answer.status_code)
    assert browser.get("/orders", headers=sent).status_code == 200


def test_a_program_with_a_token_needs_none_of_that(site: Site) -> None:
    answer = site.api("operator").post("/api/v1/orders/retry", json={"ids": [1]})
    assert answer.status_code == 200


def test_another_site_cannot_log_somebody_in(site: Site) -> None:
    answer = site.browser(None).post("/login", headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.json()["code"]) == (403, "other-origin")


@pytest.mark.parametrize("path", ["/login", "/orders", "/nowhere", "/api/v1/orders", "/static/now/journal.css"])
def test_every_answer_carries_the_headers(site: Site, path: str) -> None:
    headers = site.browser(None).get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"].startswith("public" if "static" in path else "no-store")


def test_no_page_has_a_script_or_a_style_inside(site: Site) -> None:
    browser = site.browser("admin")
    for path in ("/orders", "/rejections", "/orders/import", "/orders/retry"):
        text = browser.get(path).text
        assert "<style" not in text
        assert " style=" not in text
        assert " onclick=" not in text
        assert text.count("<script") == text.count('<script type="module" src="/static/')
