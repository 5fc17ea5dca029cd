"""The API answers as its own description says: schemathesis calls all of it with good and bad values.

Calls that are added later are in the description, so they are called, too.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.db.migrate import migrate
from shared.seal import Seal
from tests.support.seed import seed
from tests.support.site import Site, site_over

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

EXAMPLES = 4
"""For each call, after those that a schema asks for by itself."""

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
SECONDS = 800


@pytest.fixture
def site(database_url: str) -> Iterator[Site]:
    """With a seal, so that connections are tested, too."""
    migrate(database_url)
    with site_over(database_url, seal=Seal("not a secret at all"), patience=10) as running:
        yield running


def test_schemathesis_finds_nothing(site: Site, tmp_path: Path) -> None:
    ids = seed(site.conn, orders=12).ids
    (tmp_path / "schemathesis.toml").write_text(_what_is_there(ids))
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", f"{site.url}/api/v1/openapi.json",
        "--header", f"Authorization: Bearer {site.token('admin')}", "--checks", CHECKS,
        "--phases", "examples,fuzzing", "--max-examples", str(EXAMPLES), "--seed", "4711", "--workers", "1",
        "--generation-database", "none", "--request-timeout", "60", "--no-color", "--continue-on-failure",
    ]  # fmt: skip
    tried = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=tmp_path)
    assert tried.returncode == 0, (tried.stdout + tried.stderr)[-6000:]


def _what_is_there(ids: dict[str, str]) -> str:
    """Values that exist: with made-up ones every call of one record would end at its 404."""
    known = {
        "/orders/{id}": ids["failed"], "/exports/{id}": ids["export-done"], "/articles/{id}": ids["article"],
        "/receipts/{id}": ids["receipt"], "/errands/{id}": ids["errand"], "/rejections/{id}": ids["rejection"],
    }  # fmt: skip
    lines = ["[parameters]", '"path.slug" = "otto-de"', '"path.name" = "Tim Brandt"']
    for path, value in known.items():
        pattern = path.replace("{id}", "[{]id[}]")
        shown = value if value.isdigit() else f'"{value}"'
        lines += ["[[operations]]", f'include-path-regex = "{pattern}"', f'parameters = {{ "path.id" = {shown} }}']
    return "\n".join(lines) + "\n"


def test_the_description_says_who_may_call_and_how_a_refusal_looks(site: Site) -> None:
    document = site.api(None).get("/api/v1/openapi.json").json()
    users = document["paths"]["/api/v1/users"]
    assert users["post"]["x-connect-role"] == "admin"
    refused = users["post"]["responses"]["403"]["content"]["application/problem+json"]["schema"]
    assert refused == {"$ref": "#/components/schemas/Problem"}
    assert set(document["paths"]["/api/v1/orders"]["get"]["responses"]["200"]["content"]) >= {"text/csv"}
    assert all(call.get("x-connect-role") for calls in document["paths"].values() for call in calls.values())
