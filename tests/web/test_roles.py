"""Nobody gets where its role does not allow: every route, every role, nobody included. Routes are closed by default."""

from __future__ import annotations

import re

import pytest
from fastapi.routing import iter_route_contexts

from services.journal.app import create_app
from services.journal.guard import guarded_router
from tests.web.conftest import Site, served
from tests.web.routes import ALL, MATRIX

pytestmark = pytest.mark.servers

RECEIPT = "00000000-0000-0000-0000-000000000000"


def test_the_matrix_names_every_route(site: Site) -> None:
    app = create_app(site.journal)
    routes = {
        (method, str(route.path))
        for route in iter_route_contexts(app.routes)
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert routes == set(MATRIX)


@pytest.mark.parametrize("role", sorted(ALL))
def test_each_role_gets_exactly_where_it_may(site: Site, role: str) -> None:
    client = site.api(None if role == "anonymous" else role)
    wrong = []
    for (method, path), allowed in MATRIX.items():
        number = RECEIPT if re.search("receipts|bulk|errands|runs", path) else "1"
        address = path.replace("{id}", number).replace("{slug}", "otto-de").replace("{name}", "nobody")
        # No body, so that nothing happens: who may not come in is refused before the body is looked at.
        answer = client.request(method, address)
        if path == "/login" and method == "POST":
            refused = False  # answers 401 to a wrong password, and that is no refusal of the role
        else:
            to_login = answer.status_code == 303 and answer.headers["location"].startswith("/login")
            refused = answer.status_code in (401, 403) or (to_login and path != "/logout")
        if refused != (role not in allowed):
            wrong.append((method, path, answer.status_code))
    assert wrong == []


def test_a_refusal_says_whether_to_log_in_or_to_ask_for_a_role(site: Site) -> None:
    unknown = site.api(None).get("/api/v1/orders")
    assert (unknown.status_code, unknown.json()["code"]) == (401, "login-needed")
    assert unknown.headers["www-authenticate"].startswith("Bearer")
    viewer = site.api("viewer").get("/api/v1/users")
    assert (viewer.status_code, viewer.json()["code"]) == (403, "not-allowed")


def test_a_handler_that_says_nothing_is_closed_to_everybody(site: Site) -> None:
    app = create_app(site.journal)
    router = guarded_router(site.journal)

    @router.get("/forgotten")
    def forgotten() -> str:
        return "secret"

    app.include_router(router)
    with served(app) as url:
        for role in ("viewer", "admin", "publisher"):
            assert site.api(role).get(f"{url}/forgotten").status_code == 403
        assert site.api(None).get(f"{url}/forgotten").status_code == 303


def test_a_revoked_or_made_up_token_opens_nothing(site: Site) -> None:
    client = site.api("viewer")
    assert client.get("/api/v1/orders").status_code == 200
    assert site.api("admin").post("/api/v1/tokens/viewer-/revoke").status_code == 200
    assert client.get("/api/v1/orders").status_code == 401
    for header in ("Bearer connect_made-up", "Bearer", "Basic YTpi", "Bearer \u00e4".encode("latin-1")):
        assert site.api(None).get("/api/v1/orders", headers={"Authorization": header}).status_code == 401


def test_with_a_token_the_cookie_is_not_looked_at(site: Site) -> None:
    browser = site.browser("admin")
    answer = browser.get("/api/v1/users", headers={"Authorization": f"Bearer {site.token('viewer')}"})
    assert answer.status_code == 403


def test_a_token_is_shown_once_and_stored_as_a_hash(site: Site) -> None:
    made = site.api("admin").post(
        "/api/v1/tokens", json={"name": "shop", "role": "publisher", "interfaces": ["otto-de"]}
    )
    assert made.status_code == 201
    token = made.json()["token"]
    assert token not in site.api("admin").get("/api/v1/tokens").text
    assert site.conn.execute("SELECT count(*) FROM tokens t WHERE t::text LIKE %s", (f"%{token}%",)).fetchone() == (0,)
    log = site.conn.execute("SELECT actor, verb, target->>'token' FROM audit WHERE verb !~ '^login'").fetchall()
    assert log == [("token:admin-", "tokens.create", "shop")]


def test_what_cannot_be_a_user_or_token_is_answered_in_a_sentence(site: Site) -> None:
    admin = site.api("admin")
    for path, body in (
        ("users", {"name": "kim", "password": "short", "role": "viewer"}),
        ("users", {"name": "kim", "password": "long enough to do", "role": "publisher"}),
        ("users", {"name": "kim", "password": "long enough to do", "role": "viewer", "time_zone": "Mars/Base"}),
        ("tokens", {"name": "x", "role": "god"}),
        ("tokens", {"name": "x", "role": "publisher", "interfaces": ["nowhere"]}),
        ("tokens", {"name": "x", "role": "viewer", "interfaces": ["otto-de"]}),
        ("tokens", {"name": "admin-", "role": "viewer"}),
    ):
        answer = admin.post(f"/api/v1/{path}", json=body)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), answer.text
        assert answer.json()["detail"].endswith(".")
