"""The units for a plain host: systemd reads them, they give few rights, and what they name exists."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from shared.runtime.lifecycle import GRACE_SECONDS, STALL_SECONDS
from shared.settings import SERVICES, unknown

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy/systemd"
ANALYZE = shutil.which("systemd-analyze")
MOST_EXPOSED = 1.5
"""Of 10, as `systemd-analyze security` counts: 1.4 was measured, the rest is that these processes use the network."""

needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed (Debian: systemd)")


def lines(text: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)


def whole(name: str) -> str:
    """A unit with what its folder adds."""
    unit = UNITS / ("connect@.service" if "@" in name else name)
    added = sorted((UNITS / f"{name}.d").glob("*.conf"))
    return "\n".join(path.read_text(encoding="utf-8") for path in (unit, *added))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The units as they are installed, with a program that is there."""
    for path in UNITS.rglob("*"):
        if path.is_file():
            into = tmp_path / path.relative_to(UNITS)
            into.parent.mkdir(exist_ok=True)
            into.write_text(path.read_text(encoding="utf-8").replace("/opt/connect/bin/connect", "/bin/true"))
    return tmp_path


def verify(folder: Path) -> str:
    units = [folder / "connect.target", folder / "connect-migrate.service"]
    for service in SERVICES:
        (folder / f"connect@{service}.service").write_text((folder / "connect@.service").read_text())
        units.append(folder / f"connect@{service}.service")
    done = subprocess.run(
        [str(ANALYZE), "verify", "--man=no", "--recursive-errors=no", *units],
        env={"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr + (f"exit {done.returncode}" if done.returncode else "")


@needs_systemd
def test_systemd_finds_nothing_wrong(folder: Path) -> None:
    assert verify(folder) == ""


@needs_systemd
@pytest.mark.parametrize(
    ("right", "wrong"),
    [("ProtectSystem=strict", "ProtectSystems=strict"), ("WatchdogSec=30s", "WatchdogSec=often"), ("%d/", "%9/")],
)
def test_a_wrong_line_is_found(folder: Path, right: str, wrong: str) -> None:
    path = folder / "connect@.service"
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong))
    assert "connect@importer.service" in verify(folder)


@needs_systemd
@pytest.mark.parametrize("name", ["connect@.service", "connect-migrate.service"])
def test_a_unit_gives_few_rights(folder: Path, name: str) -> None:
    path = folder / name.replace("@.", "@importer.")
    path.write_text((folder / name).read_text())
    done = subprocess.run(
        [str(ANALYZE), "security", "--offline=true", "--no-pager", path], capture_output=True, text=True, check=False
    )
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= MOST_EXPOSED


def test_the_target_starts_each_service() -> None:
    (wants,) = lines((UNITS / "connect.target").read_text(encoding="utf-8"), "Wants")
    assert wants.split() == [f"connect@{service}.service" for service in SERVICES]
    assert {path.name for path in UNITS.glob("*.d")} <= {f"{unit}.d" for unit in wants.split()}


def test_a_migration_that_fails_at_boot_keeps_no_service_down() -> None:
    """What systemd starts because of Requires= stays down for good when that fails once, as with a database that comes
    up later; services wait for the database by themselves, and for its schema by being started again."""
    text = (UNITS / "connect@.service").read_text(encoding="utf-8")
    assert not lines(text, "Requires")
    assert not lines(text, "BindsTo")
    assert any("connect-migrate.service" in line.split() for line in lines(text, "Wants"))
    assert any("connect-migrate.service" in line.split() for line in lines(text, "After"))
    assert lines(text, "Restart") == ["always"]
    assert lines(text, "StartLimitIntervalSec") == ["0"]


@pytest.mark.parametrize("name", [*(f"connect@{service}.service" for service in SERVICES), "connect-migrate.service"])
def test_a_unit_names_settings_and_secrets_that_exist(name: str, tmp_path: Path) -> None:
    made = tmp_path / "made"
    subprocess.run([ROOT / "scripts/secrets", made], check=True, capture_output=True, timeout=60)
    text = whole(name)
    given = dict(pair.split("=", 1) for line in lines(text, "Environment") for pair in line.split())
    assert unknown(given) == []
    loaded = dict(line.split(":", 1) for line in lines(text, "LoadCredential"))
    assert all(path == f"/etc/connect/secrets/{secret}" for secret, path in loaded.items())
    assert loaded.keys() <= {path.name for path in made.iterdir()}
    read = {value.removeprefix("%d/") for key, value in given.items() if key.endswith("_FILE")}
    assert read == loaded.keys()


def test_settings_of_a_host_exist() -> None:
    text = (UNITS / "connect.env").read_text(encoding="utf-8")
    assert unknown(dict(re.findall(r"^#?(CONNECT_\w+)=(.*)$", text, re.MULTILINE))) == []


def test_it_waits_for_what_is_in_hand_and_for_its_own_watchdog() -> None:
    text = whole("connect@importer.service")
    assert int(lines(text, "TimeoutStopSec")[0].removesuffix("s")) > GRACE_SECONDS
    # It is told each second; what stands still for a minute ends by itself, with the stacks of its threads.
    assert 10 <= int(lines(text, "WatchdogSec")[0].removesuffix("s")) < STALL_SECONDS
