"""What a page can do, a program and the command line can do: each form of a page names its call and its command."""

from __future__ import annotations

from unittest.mock import MagicMock
from zoneinfo import ZoneInfo

import pytest
import typer
from fastapi.routing import iter_route_contexts

from services.cli.__main__ import build
from services.journal.app import create_app
from services.journal.problem_json import is_api
from services.journal.wiring import Journal
from shared.metrics import Metrics

WRITE = {"POST", "PUT", "PATCH", "DELETE"}

# What only somebody in front of a page does.
ALONE = {
    "/alarms/answer/{token}/{id}/{what}": "a link of a mail",
    "/alarms/confirm/{token}": "a link of a mail",
    "/alarms/leave/{token}": "a link of a mail",
    "/rejections/{id}/check": "looks at a text that is not submitted yet, as `connect events validate` does",
    "/login": "a program sends a token",
    "/logout": "a program sends a token",
    "/theme": "how one's own pages look",
}

# What has no command yet: a known gap, not a rule.
OPEN: dict[str, str] = {}

# The form of a page → the call of the API, the command. Put the pair of a new form here.
SAME: dict[str, tuple[str, str]] = {
    "/orders/retry": ("/orders/retry", "orders retry"),
    "/exports/retry": ("/exports/retry", "exports retry"),
    "/articles/retry": ("/articles/retry", "articles retry"),
    "/orders/import": ("/orders/import", "orders import"),
    "/exports/export": ("/exports/export", "exports export"),
    "/articles/sync": ("/articles/sync", "articles sync"),
    "/articles/listing": ("/articles/listing", "articles listing"),
    "/articles/check": ("/articles/check", "articles check"),
    "/privacy": ("/privacy", "privacy find"),
    "/privacy/holds": ("/privacy/holds", "privacy hold"),
    "/privacy/{id}/export": ("/privacy/{id}/export", "privacy export"),
    "/privacy/{id}/erase": ("/privacy/{id}/erase", "privacy erase"),
    "/orders/{id}/done-by-hand": ("/orders/{id}/done-by-hand", "orders done-by-hand"),
    "/orders/{id}/reveal": ("/orders/{id}/reveal", "orders show"),
    "/exports/{id}/reveal": ("/exports/{id}/reveal", "exports show"),
    "/articles/{id}/reveal": ("/articles/{id}/reveal", "articles show"),
    "/rejections/{id}/resubmit": ("/rejections/{id}/resubmit", "rejections resubmit"),
    "/interfaces/{slug}/rehearsal": ("/interfaces/{slug}/rehearsal", "interfaces rehearsal"),
    "/interfaces/{slug}/live": ("/interfaces/{slug}/live", "interfaces live"),
    "/interfaces/{slug}/pause": ("/interfaces/{slug}/pause", "interfaces pause"),
    "/interfaces/{slug}/test": ("/interfaces/{slug}/test-mode", "interfaces test"),
    "/orders/fetch": ("/orders/fetch", "orders fetch"),
    "/orders/{id}/edit": ("/orders/{id}/payload", "orders edit"),
    **{
        f"/{name}/{verb}": (f"/{name}/{verb}", f"{name} {verb}")
        for name in ("orders", "exports", "articles")
        for verb in ("ignore", "unignore")
    },
    "/runs/{id}/cancel": ("/bulk/{id}/cancel", "runs cancel"),
    "/runs/{id}/resume": ("/bulk/{id}/resume", "runs resume"),
    "/rejections/resubmit": ("/rejections/resubmit", "rejections resubmit-all"),
    "/rejections/{id}/reopen": ("/rejections/{id}/reopen", "rejections reopen"),
    "/rejections/{id}/set-aside": ("/rejections/{id}/set-aside", "rejections set-aside"),
    "/interfaces/{slug}/connections": ("/interfaces/{slug}/test", "interfaces ping"),
    "/interfaces/{slug}/mappings": ("/interfaces/{slug}/mappings/{kind}/{source:path}", "interfaces map"),
    "/interfaces/{slug}/mappings/remove": ("/interfaces/{slug}/mappings/{kind}/{source:path}", "interfaces unmap"),
    "/views": ("/views", "views save"),
    "/views/{id}/delete": ("/views/{id}", "views delete"),
    "/groups/{id}": ("/groups/{id}", "groups note"),
    "/alarms/new": ("/alarms", "alarms add"),
    "/alarms/{id}/edit": ("/alarms/{id}", "alarms change"),
    "/alarms/{id}/pause": ("/alarms/{id}/pause", "alarms pause"),
    "/alarms/{id}/resume": ("/alarms/{id}/resume", "alarms resume"),
    "/incidents/{id}/answer": ("/incidents/{id}/answer", "alarms acknowledge"),
    "/maintenance": ("/maintenance", "maintenance plan"),
    "/maintenance/{id}/end": ("/maintenance/{id}", "maintenance end"),
    "/maintenance/days": ("/calendar", "calendar add"),
    "/maintenance/days/{day}/remove": ("/calendar/{day}", "calendar remove"),
    "/maintenance/limits": ("/age-limits", "alarms limits"),
    "/alarms/{id}/remove": ("/alarms/{id}", "alarms remove"),
    "/alarms/{id}/test": ("/alarms/{id}/test", "alarms test"),
    "/users": ("/users", "users add"),
    "/users/{id}": ("/users/{name}", "users set"),
    "/users/{id}/active": ("/users/{name}", "users lock"),
    "/users/{id}/password": ("/users/{name}", "users password"),
    "/tokens": ("/tokens", "tokens create"),
    "/tokens/revoke": ("/tokens/{name}/revoke", "tokens revoke"),
    "/me": ("/me", "users set"),
    "/me/password": ("/me/password", "users password"),
    "/me/sessions/end": ("/me/sessions/{id}/end", "users log-out"),
}


@pytest.fixture(scope="module")
def changing() -> set[str]:
    """The addresses at which something can be changed."""
    app = create_app(Journal(MagicMock(), ZoneInfo("UTC"), Metrics("journal", "0")))
    return {str(route.path) for route in iter_route_contexts(app.routes) if WRITE & (route.methods or set())}


def _commands() -> set[str]:
    found: set[str] = set()

    def walk(command: object, words: tuple[str, ...]) -> None:
        found.add(" ".join(words))
        for name, one in getattr(command, "commands", {}).items():
            walk(one, (*words, name))

    walk(typer.main.get_command(build()), ())
    return found


def test_each_form_has_its_call_and_its_command(changing: set[str]) -> None:
    pages = {path for path in changing if not is_api(path)}
    assert pages - SAME.keys() - ALONE.keys() - OPEN.keys() == set(), (
        "forms without a call and a command: name them in SAME"
    )
    assert (SAME.keys() | ALONE.keys() | OPEN.keys()) - pages == set(), "forms that are not there any more"
    calls, commands = {path.removeprefix("/api/v1") for path in changing if is_api(path)}, _commands()
    assert {call for call, _ in SAME.values()} - calls == set(), "calls that are missing"
    assert {command for _, command in SAME.values()} - commands == set(), "commands that are missing"
