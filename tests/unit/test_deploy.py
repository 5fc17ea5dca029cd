"""The files for running Connect elsewhere are valid and name only what exists. No engine, no network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.cli import metrics_page
from shared.broker import users
from shared.db import roles
from shared.settings import PORTS, unknown

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
CHECKS = {
    "compose schema": ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
    "hadolint": ["hadolint", "--failure-threshold", "style", "deploy/Dockerfile"],
    "yamllint": ["yamllint", "--strict", "docker-compose.yml", "deploy", ".pre-commit-config.yaml", ".yamllint.yml"],
    "pre-commit": ["pre-commit", "validate-config"],
    "shell syntax": ["/bin/bash", "-n", ".ci/run"],
    "shell": [
        "shellcheck",
        "scripts/check",
        "scripts/secrets",
        "scripts/release",
        "scripts/pythons",
        "deploy/postgres/10-connect.sh",
    ],
}


def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return read


def make_secrets(folder: Path, *options: str, environment: dict[str, str] | None = None) -> dict[str, str]:
    """What `scripts/secrets` makes: name → content."""
    command = [ROOT / "scripts/secrets", *options, folder]
    bare = {"PATH": os.environ["PATH"], **(environment or {})}
    subprocess.run(command, env=bare, check=True, capture_output=True, timeout=60)
    return {path.name: path.read_text(encoding="utf-8").strip() for path in folder.iterdir()}


OURS = {name: service for name, service in compose()["services"].items() if service.get("image") == "connect:local"}


@pytest.mark.parametrize("name", CHECKS)
def test_the_tools_find_nothing(name: str) -> None:
    command, *rest = CHECKS[name]
    done = subprocess.run([BIN / command, *rest], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_services_get_only_settings_that_exist(name: str) -> None:
    assert unknown(OURS[name]["environment"]) == []


@pytest.mark.parametrize("name", sorted(compose()["services"]))
def test_no_container_has_rights_it_does_not_need(name: str) -> None:
    service = compose()["services"][name]
    assert service["init"] is True
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    # Our image names its user itself: test_the_image_runs_without_root.
    assert name in OURS or service["user"].split(":")[0] not in ("0", "root")


@pytest.mark.parametrize("name", sorted(compose()["services"]))
def test_every_container_has_a_limit_of_memory_processors_and_processes(name: str) -> None:
    limits = compose()["services"][name]["deploy"]["resources"]["limits"]
    assert limits.keys() == {"memory", "cpus", "pids"}
    assert re.fullmatch(r"\d+[MG]", limits["memory"])
    assert 0 < float(limits["cpus"]) <= 2
    assert 0 < limits["pids"] <= 1024


@pytest.mark.parametrize("name", sorted(OURS.keys() & PORTS.keys()))
def test_health_is_asked_on_the_service_s_own_port(name: str) -> None:
    assert OURS[name]["command"] == ["serve", name]
    assert f":{PORTS[name]}/livez" in OURS[name]["healthcheck"]["test"][-1]


def test_every_lasting_service_has_a_health_check_and_a_fixed_version() -> None:
    for name, service in compose()["services"].items():
        assert not service["image"].endswith(":latest"), name
        assert ":" in service["image"], name
        assert "healthcheck" in service or service.get("restart") == "no", name


def test_ports_are_published_on_loopback_only() -> None:
    for name, service in compose()["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name


def wanted(service: dict[str, Any]) -> dict[str, str]:
    """Path in the container → name of the secret that is mounted there."""
    found = {}
    for entry in service.get("secrets", []):
        name, target = (entry, entry) if isinstance(entry, str) else (entry["source"], entry["target"])
        found[target if target.startswith("/") else f"/run/secrets/{target}"] = name
    return found


def test_secrets_are_files_in_the_containers_that_read_them_and_nowhere_else() -> None:
    """A secret by another way, one that nobody reads, and a path where nothing is mounted are all noticed."""
    read = compose()
    assert "configs" not in read
    for name, service in read["services"].items():
        mounted = wanted(service)
        assert set(mounted.values()) <= read["secrets"].keys(), name
        environment = {key: str(value) for key, value in service.get("environment", {}).items()}
        said = "\n".join([*environment.values(), *map(str, service.get("command", []))])
        assert set(re.findall(r"/run/secrets/[\w.-]+", said)) <= mounted.keys(), name
        for key, value in environment.items():
            secret = re.search(r"PASS|SECRET|TOKEN|KEY|(DATABASE|AMQP|SMTP|HEARTBEAT)_URL", key)
            assert not secret or (key.endswith("_FILE") and value.startswith("/run/secrets/")), (name, key)
            assert not re.search(r"://[^/]*:[^/]*@", value), (name, key)
        for path, secret in mounted.items():
            here = not path.startswith("/run/secrets/")
            assert here or path in said or f"@{secret}" in said or f"_FILE={secret}" in said, (name, secret)
    assert {name for service in read["services"].values() for name in wanted(service).values()} == set(read["secrets"])


def test_secrets_come_from_files_that_one_command_makes(tmp_path: Path) -> None:
    """Compose copies what comes from elsewhere into the container, and refuses where that is read-only."""
    made = make_secrets(tmp_path / "made")
    entries = compose()["secrets"]
    assert {name: entry["file"] for name, entry in entries.items()} == {
        name: f"${{CONNECT_SECRETS:-./deploy/dev-secrets}}/{name}" for name in entries
    }
    assert set(made) >= set(entries)
    assert not any(value.startswith("dev-only") for value in made.values())
    ignored = subprocess.run(["git", "check-ignore", "-q", "deploy/secrets/secret-key"], cwd=ROOT, check=False)
    assert ignored.returncode == 0


def test_what_compose_takes_without_them_is_known_to_everybody_and_says_so(tmp_path: Path) -> None:
    folder = ROOT / "deploy/dev-secrets"
    known = {path.name: path.read_text(encoding="utf-8").strip() for path in folder.iterdir()}
    made = make_secrets(tmp_path / "made")
    assert known.keys() == made.keys()
    assert all("dev-only-" in value for name, value in known.items() if made[name] and name != "smtp-url")


def test_a_variable_has_one_default() -> None:
    found: dict[str, set[str]] = {}
    for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")):
        found.setdefault(name, set()).add(default)
    assert len(found) > 5
    assert not {name: values for name, values in found.items() if len(values) > 1}


def test_the_demo_says_what_its_stand_ins_need() -> None:
    given = dict(line.split("=", 1) for line in (ROOT / "deploy/demo.env").read_text(encoding="utf-8").splitlines()[1:])
    assert unknown(given) == []
    assert given["CONNECT_ALLOWED_NETWORKS"] in compose()["services"]
    ports = dict(
        pair.split("=")
        for pair in OURS["sandbox"]["command"][OURS["sandbox"]["command"].index("--ports") + 1].split(",")
    )
    named = dict(re.findall(r"(\w+)=http://sandbox:(\d+)", " ".join(OURS["demo"]["command"])))
    assert named
    assert named.items() <= ports.items()
    assert {service for service, entry in compose()["services"].items() if entry.get("profiles") == ["demo"]} == {
        "sandbox",
        "demo",
    }


def test_files_that_compose_mounts_exist() -> None:
    for service in compose()["services"].values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert not source.startswith("./") or (ROOT / source).exists(), mount


def test_prometheus_scrapes_our_services_every_two_seconds_where_they_listen() -> None:
    folder = ROOT / "deploy/prometheus"
    read = yaml.safe_load((folder / "prometheus.yml").read_text(encoding="utf-8"))
    (ours,) = [job for job in read["scrape_configs"] if job["job_name"] == "connect"]
    assert ours["scrape_interval"] == "2s"
    for where, names in (("compose", {name: name for name in PORTS}), ("host", dict.fromkeys(PORTS, "127.0.0.1"))):
        groups = yaml.safe_load((folder / where / "connect.yml").read_text(encoding="utf-8"))
        found = {group["labels"]["service"]: group["targets"] for group in groups}
        assert found == {name: [f"{names[name]}:{port}"] for name, port in PORTS.items()}
        jobs = {f"{job['job_name']}.yml" for job in read["scrape_configs"]}
        assert {path.name for path in (folder / where).iterdir()} == jobs
    for path in (folder / "compose").iterdir():
        for group in yaml.safe_load(path.read_text(encoding="utf-8")):
            assert {target.split(":")[0] for target in group["targets"]} <= compose()["services"].keys(), path.name


def test_what_alertmanager_calls_is_there() -> None:
    read = yaml.safe_load((ROOT / "deploy/alertmanager/alertmanager.yml").read_text(encoding="utf-8"))
    urls = [hook["url"] for receiver in read["receivers"] for hook in receiver.get("webhook_configs", [])]
    assert urls == [f"http://alerts:{PORTS['alerts']}/alertmanager"]
    assert read["global"]["smtp_smarthost"].split(":")[0] in compose()["services"]


def test_dashboards_and_rules_ask_only_for_metrics_that_exist() -> None:
    exposed = {word for line in metrics_page.markdown().splitlines() for word in re.findall(r"`(connect_\w+)`", line)}
    exposed |= {f"{name}_{kind}" for name in exposed for kind in ("bucket", "count", "sum")}
    files = [*(ROOT / "deploy/grafana/dashboards").glob("*.json"), *(ROOT / "deploy/prometheus/rules").glob("*.yml")]
    for path in files:
        text = path.read_text(encoding="utf-8")
        asked = set(re.findall(r"(?<![:\w])(connect_\w+)(?!\w*:)", text))
        assert asked or "rabbitmq_" in text, path.name
        assert asked <= exposed, (path.name, asked - exposed)


def test_the_image_runs_without_root() -> None:
    lines = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8").splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER")]
    assert users
    assert users[-1].split(":")[0] not in {"root", "0"}


def test_only_the_job_that_migrates_may_change_schema_and_topology(tmp_path: Path) -> None:
    """Services, and what reads figures, log in as those who may not."""
    made = make_secrets(tmp_path / "made")
    who: dict[str, set[str]] = {}
    for name, service in OURS.items():
        for secret in wanted(service).values():
            if login := re.match(r"(?:postgresql|amqp)://([\w-]+):", made[secret]):
                who.setdefault(name, set()).add(login[1])
    few = {roles.role("connect", "services"), users.name("connect", "services")}
    many = {"connect", users.name("connect", "declarer")}
    assert who == {**dict.fromkeys(PORTS, few), "demo": {roles.role("connect", "services")}, "migrate": many}
    exporter = compose()["services"]["postgres-exporter"]["environment"]
    assert exporter["DATA_SOURCE_USER"] == roles.role("connect", "reading")
    asked = OURS["migrate"]["command"][0]
    assert all(f"{kind}=@postgres-{kind}" in asked for kind in roles.KINDS)
    assert all(f"{kind}=@rabbitmq-{kind}" in asked for kind in users.KINDS)
    assert "CONNECT_AMQP_URL_FILE=amqp-url-declarer connect topology apply" in asked
