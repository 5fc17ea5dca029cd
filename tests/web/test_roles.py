"""Nobody gets where its role does not allow: every route, every role, nobody included. Routes are closed by default."""

from __future__ import annotations

import re

import pytest
from fastapi.routing import iter_route_contexts

from services.journal.app import create_app
from services.journal.guard import guarded_router
from tests.web.conftest import Site, served

pytestmark = pytest.mark.servers

RECEIPT = "00000000-0000-0000-0000-000000000000"
READS = frozenset({"viewer", "operator", "admin"})
ACTS = frozenset({"operator", "admin"})
RULES = frozenset({"admin"})
POSTS = frozenset({"publisher", "operator", "admin"})
ALL = frozenset({"viewer", "operator", "admin", "publisher", "anonymous"})

# What the contract says, written down a second time: a new route has to be entered here by hand.
MATRIX: dict[tuple[str, str], frozenset[str]] = {
    ("POST", "/api/v1/events"): POSTS,
    ("GET", "/api/v1/events"): READS,
    ("GET", "/api/v1/orders"): READS,
    ("GET", "/api/v1/exports"): READS,
    ("GET", "/api/v1/articles"): READS,
    ("GET", "/api/v1/orders/facets"): READS,
    ("GET", "/api/v1/exports/facets"): READS,
    ("GET", "/api/v1/articles/facets"): READS,
    ("GET", "/api/v1/orders/suggest"): READS,
    ("GET", "/api/v1/exports/suggest"): READS,
    ("GET", "/api/v1/articles/suggest"): READS,
    ("POST", "/api/v1/orders/import"): ACTS,
    ("POST", "/api/v1/exports/export"): ACTS,
    ("POST", "/api/v1/articles/sync"): ACTS,
    ("POST", "/api/v1/orders/retry"): ACTS,
    ("POST", "/api/v1/exports/retry"): ACTS,
    ("POST", "/api/v1/articles/retry"): ACTS,
    ("POST", "/api/v1/orders/{id}/done-by-hand"): ACTS,
    ("GET", "/api/v1/orders/diagnose"): READS,
    ("GET", "/api/v1/exports/diagnose"): READS,
    ("GET", "/api/v1/articles/diagnose"): READS,
    ("GET", "/api/v1/orders/{id}"): READS,
    ("GET", "/api/v1/exports/{id}"): READS,
    ("GET", "/api/v1/articles/{id}"): READS,
    ("GET", "/api/v1/orders/{id}/history"): READS,
    ("GET", "/api/v1/exports/{id}/history"): READS,
    ("GET", "/api/v1/articles/{id}/history"): READS,
    ("GET", "/api/v1/groups"): READS,
    ("GET", "/api/v1/groups/{id}"): READS,
    ("PATCH", "/api/v1/groups/{id}"): ACTS,
    ("PUT", "/api/v1/groups/{id}"): ACTS,
    ("GET", "/groups"): READS,
    ("GET", "/interfaces/{slug}/groups"): READS,
    ("GET", "/groups/{id}"): READS,
    ("POST", "/groups/{id}"): ACTS,
    ("GET", "/api/v1/receipts/{id}"): READS,
    ("POST", "/api/v1/orders/fetch"): ACTS,
    ("PUT", "/api/v1/orders/{id}/payload"): ACTS,
    ("GET", "/api/v1/bulk"): READS,
    ("GET", "/api/v1/bulk/{id}"): READS,
    ("GET", "/api/v1/bulk/{id}/items"): READS,
    ("POST", "/api/v1/bulk/{id}/cancel"): ACTS,
    ("POST", "/api/v1/bulk/{id}/resume"): ACTS,
    ("POST", "/api/v1/orders/ignore"): ACTS,
    ("POST", "/api/v1/orders/unignore"): ACTS,
    ("POST", "/api/v1/exports/ignore"): ACTS,
    ("POST", "/api/v1/exports/unignore"): ACTS,
    ("POST", "/api/v1/articles/ignore"): ACTS,
    ("POST", "/api/v1/articles/unignore"): ACTS,
    ("POST", "/api/v1/articles/listing"): ACTS,
    ("POST", "/api/v1/articles/check"): ACTS,
    ("GET", "/api/v1/errands/{id}"): READS,
    ("GET", "/api/v1/rejections"): READS,
    ("GET", "/api/v1/rejections/{id}"): READS,
    ("POST", "/api/v1/rejections/{id}/resubmit"): ACTS,
    ("POST", "/api/v1/rejections/resubmit"): ACTS,
    ("POST", "/api/v1/rejections/{id}/set-aside"): ACTS,
    ("POST", "/api/v1/rejections/{id}/reopen"): ACTS,
    ("POST", "/api/v1/webhooks/{slug}"): ALL,
    ("GET", "/api/v1/users"): RULES,
    ("POST", "/api/v1/users"): RULES,
    ("GET", "/api/v1/users/{name}"): RULES,
    ("POST", "/api/v1/users/{name}"): RULES,
    ("GET", "/api/v1/me"): READS,
    ("POST", "/api/v1/me"): READS,
    ("POST", "/api/v1/me/password"): READS,
    ("GET", "/api/v1/me/sessions"): READS,
    ("POST", "/api/v1/me/sessions/end-others"): READS,
    ("POST", "/api/v1/me/sessions/{id}/end"): READS,
    ("POST", "/api/v1/orders/{id}/reveal"): READS,
    ("POST", "/api/v1/exports/{id}/reveal"): READS,
    ("POST", "/api/v1/articles/{id}/reveal"): READS,
    ("GET", "/api/v1/tokens"): RULES,
    ("POST", "/api/v1/tokens"): RULES,
    ("POST", "/api/v1/tokens/{name}/revoke"): RULES,
    ("GET", "/api/v1/views"): READS,
    ("POST", "/api/v1/views"): READS,
    ("DELETE", "/api/v1/views/{id}"): READS,
    ("POST", "/views"): READS,
    ("POST", "/views/{id}/delete"): READS,
    ("GET", "/api/v1/interfaces"): READS,
    ("GET", "/api/v1/interfaces/{slug}"): READS,
    ("POST", "/api/v1/interfaces/{slug}/test"): ACTS,
    ("GET", "/api/v1/interfaces/{slug}/rehearsal"): READS,
    ("POST", "/api/v1/interfaces/{slug}/rehearsal"): ACTS,
    ("POST", "/api/v1/interfaces/{slug}/live"): ACTS,
    ("POST", "/api/v1/interfaces/{slug}/pause"): ACTS,
    ("POST", "/api/v1/interfaces/{slug}/test-mode"): ACTS,
    ("GET", "/api/v1/interfaces/{slug}/mappings"): ACTS,
    ("PUT", "/api/v1/interfaces/{slug}/mappings/{kind}/{source:path}"): ACTS,
    ("DELETE", "/api/v1/interfaces/{slug}/mappings/{kind}/{source:path}"): ACTS,
    ("GET", "/api/v1/audit"): ACTS,
    ("GET", "/audit"): ACTS,
    ("GET", "/api/v1/alarms"): READS,
    ("POST", "/api/v1/alarms"): ACTS,
    ("POST", "/api/v1/alarms/backtest"): READS,
    ("GET", "/api/v1/alarms/{id}"): READS,
    ("PUT", "/api/v1/alarms/{id}"): ACTS,
    ("DELETE", "/api/v1/alarms/{id}"): ACTS,
    ("POST", "/api/v1/alarms/{id}/test"): ACTS,
    ("GET", "/api/v1/alarms/{id}/ledger"): ACTS,
    **{("GET", f"{of}{what}"): READS for of, what in (("/api/v1", "/calendar"), ("/api/v1", "/age-limits"))},
    **{(verb, f"{of}/maintenance"): may for of in ("", "/api/v1") for verb, may in (("GET", READS), ("POST", ACTS))},
    **{("POST", f"{of}/alarms/{{id}}/{verb}"): ACTS for of in ("", "/api/v1") for verb in ("pause", "resume")},
    **{("POST", f"/maintenance/{what}"): ACTS for what in ("{id}/end", "days", "days/{day}/remove", "limits")},
    **{("DELETE", f"/api/v1/{what}"): ACTS for what in ("maintenance/{id}", "calendar/{day}")},
    ("POST", "/api/v1/calendar"): ACTS,
    ("PUT", "/api/v1/age-limits"): ACTS,
    ("POST", "/incidents/{id}/answer"): ACTS,
    ("GET", "/api/v1/incidents"): READS,
    ("POST", "/api/v1/incidents/{id}/answer"): ACTS,
    ("GET", "/alarms"): READS,
    ("GET", "/alarms/new"): ACTS,
    ("POST", "/alarms/new"): ACTS,
    ("GET", "/alarms/{id}"): ACTS,
    ("GET", "/alarms/{id}/edit"): ACTS,
    ("POST", "/alarms/{id}/edit"): ACTS,
    ("POST", "/alarms/{id}/test"): ACTS,
    ("POST", "/alarms/{id}/remove"): ACTS,
    ("GET", "/alarms/leave/{token}"): ALL,
    ("POST", "/alarms/leave/{token}"): ALL,
    ("GET", "/alarms/confirm/{token}"): ALL,
    ("POST", "/alarms/confirm/{token}"): ALL,
    ("GET", "/alarms/answer/{token}/{id}/{what}"): ALL,
    ("POST", "/alarms/answer/{token}/{id}/{what}"): ALL,
    ("GET", "/api/v1/accounting"): READS,
    ("GET", "/api/v1/accounting/days"): READS,
    ("GET", "/api/v1/accounting/inputs"): READS,
    ("GET", "/accounting"): READS,
    ("GET", "/accounting/days"): READS,
    ("GET", "/accounting/inputs"): READS,
    ("GET", "/api/v1/status"): READS,
    ("GET", "/api/v1/incidents/count"): READS,
    ("GET", "/api/v1/openapi.json"): ALL,
    ("GET", "/login"): ALL,
    ("POST", "/login"): ALL,
    ("GET", "/login/provider"): ALL,
    ("GET", "/login/provider/back"): ALL,
    ("POST", "/logout"): ALL,
    ("POST", "/theme"): ALL,
    ("GET", "/static/{stamp}/{name}"): ALL,
    ("GET", "/"): READS,
    ("GET", "/me"): READS,
    ("POST", "/me"): READS,
    ("POST", "/me/password"): READS,
    ("POST", "/me/sessions/end"): READS,
    ("GET", "/users"): RULES,
    ("POST", "/users"): RULES,
    ("GET", "/users/{id}"): RULES,
    ("POST", "/users/{id}"): RULES,
    ("POST", "/users/{id}/active"): RULES,
    ("POST", "/users/{id}/password"): RULES,
    ("POST", "/tokens"): RULES,
    ("POST", "/tokens/revoke"): RULES,
    ("POST", "/orders/{id}/reveal"): READS,
    ("POST", "/exports/{id}/reveal"): READS,
    ("POST", "/articles/{id}/reveal"): READS,
    ("GET", "/orders"): READS,
    ("GET", "/exports"): READS,
    ("GET", "/articles"): READS,
    ("GET", "/interfaces"): READS,
    ("GET", "/interfaces/{slug}"): READS,
    ("POST", "/interfaces/{slug}/rehearsal"): ACTS,
    ("POST", "/interfaces/{slug}/live"): ACTS,
    ("POST", "/interfaces/{slug}/pause"): ACTS,
    ("POST", "/interfaces/{slug}/test"): ACTS,
    ("GET", "/interfaces/{slug}/settings"): ACTS,
    ("GET", "/interfaces/{slug}/listing"): READS,
    ("GET", "/api/v1/interfaces/{slug}/listing"): READS,
    ("POST", "/interfaces/{slug}/connections"): ACTS,
    ("GET", "/interfaces/{slug}/mappings"): ACTS,
    ("POST", "/interfaces/{slug}/mappings"): ACTS,
    ("GET", "/interfaces/{slug}/mappings/remove"): ACTS,
    ("POST", "/interfaces/{slug}/mappings/remove"): ACTS,
    ("GET", "/interfaces/{slug}/orders"): READS,
    ("GET", "/interfaces/{slug}/exports"): READS,
    ("GET", "/interfaces/{slug}/articles"): READS,
    ("GET", "/orders/filter"): READS,
    ("GET", "/exports/filter"): READS,
    ("GET", "/articles/filter"): READS,
    ("GET", "/orders/retry"): ACTS,
    ("GET", "/exports/retry"): ACTS,
    ("GET", "/articles/retry"): ACTS,
    ("POST", "/orders/retry"): ACTS,
    ("POST", "/exports/retry"): ACTS,
    ("POST", "/articles/retry"): ACTS,
    ("GET", "/orders/ignore"): ACTS,
    ("POST", "/orders/ignore"): ACTS,
    ("GET", "/orders/unignore"): ACTS,
    ("POST", "/orders/unignore"): ACTS,
    ("GET", "/exports/ignore"): ACTS,
    ("POST", "/exports/ignore"): ACTS,
    ("GET", "/exports/unignore"): ACTS,
    ("POST", "/exports/unignore"): ACTS,
    ("GET", "/articles/ignore"): ACTS,
    ("POST", "/articles/ignore"): ACTS,
    ("GET", "/articles/unignore"): ACTS,
    ("POST", "/articles/unignore"): ACTS,
    ("GET", "/orders/fetch"): ACTS,
    ("POST", "/orders/fetch"): ACTS,
    ("GET", "/orders/{id}/edit"): ACTS,
    ("POST", "/orders/{id}/edit"): ACTS,
    ("GET", "/runs"): READS,
    ("GET", "/runs/{id}"): READS,
    ("POST", "/runs/{id}/cancel"): ACTS,
    ("POST", "/runs/{id}/resume"): ACTS,
    ("GET", "/orders/import"): ACTS,
    ("GET", "/exports/export"): ACTS,
    ("GET", "/articles/sync"): ACTS,
    ("POST", "/orders/import"): ACTS,
    ("POST", "/exports/export"): ACTS,
    ("POST", "/articles/sync"): ACTS,
    ("GET", "/orders/{id}"): READS,
    ("GET", "/exports/{id}"): READS,
    ("GET", "/articles/{id}"): READS,
    ("POST", "/orders/{id}/done-by-hand"): ACTS,
    ("GET", "/receipts/{id}"): READS,
    ("POST", "/articles/listing"): ACTS,
    ("POST", "/articles/check"): ACTS,
    ("GET", "/errands/{id}"): READS,
    ("GET", "/rejections"): READS,
    ("GET", "/rejections/{id}"): READS,
    ("POST", "/rejections/{id}/resubmit"): ACTS,
    ("GET", "/rejections/resubmit"): ACTS,
    ("POST", "/rejections/resubmit"): ACTS,
    ("GET", "/rejections/{id}/raw"): ACTS,
    ("POST", "/rejections/{id}/check"): ACTS,
    ("POST", "/rejections/{id}/set-aside"): ACTS,
    ("POST", "/rejections/{id}/reopen"): ACTS,
}


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
    log = site.conn.execute("SELECT actor, verb, target->>'token' FROM audit").fetchall()
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
