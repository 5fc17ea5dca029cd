"""The job `demo` of compose and Kubernetes: the interface is live, the admin gets in, the ERP knows where to call."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.cli.up import demo
from services.cli.up.seed import main
from shared.db.connect import connect
from shared.people.users import check_password
from shared.records.interfaces import read
from shared.seal import Seal
from tests.support.sandbox import Stand, sandbox

KEY = "a-secret-of-the-tests"
SLUG = demo.description()["slug"]


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Stand:
    with sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.mark.servers
def test_it_is_made_once_and_an_admin_keeps_the_password(
    stand: Stand,
    role_urls: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CONNECT_DATABASE_URL", role_urls["services"])
    monkeypatch.setenv("CONNECT_SECRET_KEY", KEY)
    monkeypatch.setenv("CONNECT_ALLOWED_NETWORKS", "127.0.0.1")
    (tmp_path / "password").write_text("first-password-of-the-admin\n")
    pairs = [f"{name}={stand.addresses[name]}" for name in ("otto", "xentral")]
    arguments = [*pairs, "--journal", "http://journal:8080", "--password", f"@{tmp_path / 'password'}"]

    assert main(arguments) == 0
    assert "is live. Log in as admin." in capsys.readouterr().out
    with connect(role_urls["services"], "tests") as conn:
        interface = read(conn, Seal(KEY), SLUG)
        assert interface is not None
        assert (interface.mode, interface.sides["erp"].settings["base_url"]) == ("live", stand.addresses["xentral"])
        assert check_password(conn, "admin", "first-password-of-the-admin", "tests") is not None

    (tmp_path / "password").write_text("another-password-of-the-admin\n")
    assert main(arguments) == 0
    assert "admin was there and keeps the password" in capsys.readouterr().out
    with connect(role_urls["services"], "tests") as conn:
        assert check_password(conn, "admin", "another-password-of-the-admin", "tests") is None


def test_what_is_missing_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "password").write_text("x")
    rest = ["--journal", "http://journal:8080", "--password", f"@{tmp_path / 'password'}"]
    for name in ("CONNECT_DATABASE_URL", "CONNECT_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert main(["otto=http://a", "xentral=http://b", *rest]) == 1
    assert "CONNECT_SECRET_KEY is not set" in capsys.readouterr().err
    for wrong in (["otto=http://a"], ["otto", "xentral=http://b"]):
        with pytest.raises(SystemExit) as stopped:
            main([*wrong, *rest])
        assert stopped.value.code == 2
