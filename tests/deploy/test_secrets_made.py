"""`scripts/secrets`: what it makes is private, random, kept, and what the services' settings read."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from shared.settings import load

ROOT = Path(__file__).parents[2]


def run(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts/secrets", *options, folder],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8").rstrip("\n") for path in folder.iterdir()}


def test_only_the_owner_gets_into_the_folder_and_containers_read_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir(mode=0o755)
    assert run(folder).returncode == 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}


def test_each_password_is_another_one_and_long(tmp_path: Path) -> None:
    assert run(tmp_path / "one").returncode == run(tmp_path / "two").returncode == 0
    one, two = content(tmp_path / "one"), content(tmp_path / "two")
    random = [name for name in one if one[name] != two[name] and "-url" not in name and not name.endswith(".conf")]
    assert len(random) == 13
    values = [made[name] for made in (one, two) for name in random]
    assert len(set(values)) == 26
    assert all(len(value) == 48 for value in values)


def test_what_is_there_stays(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    run(folder)
    before = content(folder)
    (folder / "postgres-reading").unlink()
    again = run(folder)
    assert again.stdout.endswith(f"1 made, {len(before) - 1} there before\n")
    after = content(folder)
    assert after.pop("postgres-reading") != before.pop("postgres-reading")
    assert after == before


def test_an_installation_that_had_them_in_the_environment_keeps_them(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    given = {
        "CONNECT_POSTGRES_PASSWORD": "an-old-one",
        "CONNECT_SECRET_KEY": "first key of 16 letters\nsecond of 16 letters",
    }
    assert run(folder, **given).returncode == 0
    made = content(folder)
    assert made["postgres-owner"] == "an-old-one"
    assert made["database-url-owner"] == f"postgresql://connect:{made['postgres-owner']}@postgres:5432/connect"
    assert made["secret-key"] == given["CONNECT_SECRET_KEY"]


@pytest.mark.parametrize("wrong", ["a b", "a@b", "a/b", "a\nb", "ä"])
def test_a_password_that_would_break_an_address_is_refused(tmp_path: Path, wrong: str) -> None:
    refused = run(tmp_path / "made", CONNECT_POSTGRES_PASSWORD=wrong)
    assert refused.returncode == 2
    assert refused.stderr == "postgres-owner: letters, digits, - and _ only, for it becomes part of addresses\n"
    assert wrong not in content(tmp_path / "made").values()


@pytest.mark.parametrize("arguments", [["--nothing"], ["one", "two"], ["--postgres"]])
def test_wrong_arguments_make_nothing(tmp_path: Path, arguments: list[str]) -> None:
    refused = subprocess.run(
        [ROOT / "scripts/secrets", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode == 2
    assert "--help" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_services_read_what_was_made(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    assert run(folder, "--postgres", "db.example.org", "--rabbitmq", "mq.example.org", "--mail", "").returncode == 0
    names = ("database-url", "amqp-url", "secret-key", "smtp-url", "heartbeat-url", "oidc-client-secret")
    settings = load(
        {f"CONNECT_{name.upper().replace('-', '_')}_FILE": str(folder / name) for name in names}
        | {"CONNECT_BASE_URL": "https://connect.example.org"}
    )
    made = content(folder)
    assert (
        settings.database() == f"postgresql://connect_services:{made['postgres-services']}@db.example.org:5432/connect"
    )
    assert settings.broker() == f"amqp://connect-services:{made['rabbitmq-services']}@mq.example.org:5672/connect"
    assert settings.secret() == made["secret-key"]
    assert (settings.smtp_url, settings.heartbeat_url, settings.oidc_client_secret) == (None, None, None)
    settings.only_at_home()


def test_compose_is_told_once_where_they_are(tmp_path: Path) -> None:
    script = tmp_path / "scripts/secrets"
    script.parent.mkdir()
    shutil.copy(ROOT / "scripts/secrets", script)
    (tmp_path / ".env").write_text("CONNECT_TIME_ZONE=Europe/Berlin\n")
    for _ in range(2):
        subprocess.run([script], check=True, capture_output=True, timeout=60, env={"PATH": os.environ["PATH"]})
    assert (tmp_path / ".env").read_text() == "CONNECT_TIME_ZONE=Europe/Berlin\nCONNECT_SECRETS=./deploy/secrets\n"
    assert (tmp_path / "deploy/secrets/secret-key").stat().st_mode & 0o777 == 0o444
