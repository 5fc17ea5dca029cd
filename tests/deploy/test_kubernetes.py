"""The manifests for Kubernetes fit its schemas, give few rights, and name only what is in the code."""

from __future__ import annotations

import copy
import importlib.util
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from services.cli import metrics_page
from shared.broker import users
from shared.db import roles
from shared.settings import PORTS, SERVICES, unknown

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/kubernetes"
Documents = list[dict[str, Any]]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"scripts/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


manifests = load("manifests")


@pytest.fixture(scope="module")
def production() -> Documents:
    found: Documents = manifests.rendered(FOLDER / "overlays/production")
    return found


@pytest.fixture(scope="module")
def demo() -> Documents:
    found: Documents = manifests.rendered(FOLDER / "overlays/demo")
    return found


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of what `scripts/secrets` makes."""
    folder = tmp_path_factory.mktemp("secrets")
    subprocess.run([ROOT / "scripts/secrets", folder], check=True, capture_output=True, timeout=60)
    return {path.name for path in folder.iterdir()}


def one(documents: Documents, kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in documents if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def pods(documents: Documents) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and pod of whatever starts pods of ours."""
    for each in documents:
        if each["kind"] in ("Deployment", "Job"):
            yield each["metadata"]["name"], each["spec"]["template"]


def test_every_document_fits_its_schema(production: Documents, demo: Documents) -> None:
    schemas = FOLDER / "schemas"
    assert [line for each in [*production, *demo] for line in manifests.wrong(each, schemas)] == []
    kinds = {each["kind"].lower() for each in production}
    assert {path.stem for path in schemas.iterdir()} <= kinds


def misspell(at: dict[str, Any], right: str, wrong: str) -> None:
    at[wrong] = at.pop(right)


WRONG: dict[str, tuple[str, str, Callable[[dict[str, Any]], None]]] = {
    "a field of a pod": (
        "Deployment",
        "importer",
        lambda d: misspell(d["spec"]["template"]["spec"], "terminationGracePeriodSeconds", "terminationGracePeriod"),
    ),
    "a field of a probe": (
        "Deployment",
        "journal",
        lambda d: misspell(d["spec"]["template"]["spec"]["containers"][0]["livenessProbe"], "httpGet", "httpget"),
    ),
    "a type": ("PodDisruptionBudget", "stock", lambda d: d["spec"].update(maxUnavailable=[1])),
    "a version": ("Job", "migrate", lambda d: d.update(apiVersion="batch/v9")),
    "a policy": ("NetworkPolicy", "pages", lambda d: misspell(d["spec"], "podSelector", "selector")),
    "scaling": ("ScaledObject", "importer", lambda d: misspell(d["spec"], "minReplicaCount", "minReplicas")),
    "a trigger": ("ScaledObject", "stock", lambda d: d["spec"]["triggers"][0]["metadata"].pop("threshold")),
    "the broker": ("RabbitmqCluster", "connect-rabbitmq", lambda d: misspell(d["spec"], "replicas", "nodes")),
    "the standby": (
        "Cluster",
        "connect-postgres",
        lambda d: d["spec"]["postgresql"]["synchronous"].update(method="some"),
    ),
    "a monitor": ("PodMonitor", "connect", lambda d: misspell(d["spec"], "podMetricsEndpoints", "endpoints")),
    "a rule": (
        "PrometheusRule",
        "connect",
        lambda d: misspell(d["spec"]["groups"][0]["rules"][0], "expr", "expression"),
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_field_is_found(production: Documents, what: str) -> None:
    kind, name, spoil = WRONG[what]
    document = copy.deepcopy(one(production, kind, name))
    spoil(document)
    assert list(manifests.wrong(document, FOLDER / "schemas"))


def test_what_cannot_be_rendered_and_a_wrong_line_are_red(tmp_path: Path) -> None:
    """Of the whole check: exit code and lines, over a folder that has both."""
    for name in ("connect", "overlays/broken"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "connect/kustomization.yaml").write_text("resources: [map.yml]\n")
    (tmp_path / "connect/map.yml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndate: {a: b}\n")
    (tmp_path / "overlays/broken/kustomization.yaml").write_text("resources: [gone.yml]\n")
    wrong, broken = manifests.check(tmp_path)[0], manifests.check(tmp_path)[-1]
    assert wrong.startswith("connect: ConfigMap a")
    assert "gone.yml" in broken


def test_the_rules_are_those_of_prometheus(production: Documents) -> None:
    assert (FOLDER / "components/monitoring/rules.yml").read_text(encoding="utf-8") == manifests.rules()
    groups = one(production, "PrometheusRule", "connect")["spec"]["groups"]
    kept = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))]
    assert groups == [group for each in kept for group in each["groups"]]


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_runs_and_is_looked_at_where_it_listens(production: Documents, service: str) -> None:
    deployment = one(production, "Deployment", service)
    pod = deployment["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    assert container["args"] == ["serve", service]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports["metrics"] == PORTS[service]
    paths = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("liveness", "readiness", "startup")}
    assert paths == {
        "liveness": {"path": "/livez", "port": "metrics"},
        "readiness": {"path": "/readyz", "port": "metrics"},
        "startup": {"path": "/livez", "port": "metrics"},
    }
    assert pod["spec"]["terminationGracePeriodSeconds"] == 60
    assert pod["spec"]["topologySpreadConstraints"]
    budget = one(production, "PodDisruptionBudget", service)
    assert budget["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert deployment["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()


def test_each_pod_has_few_rights_and_limits(production: Documents, demo: Documents) -> None:
    seen = set()
    for name, pod in [*pods(production), *pods(demo)]:
        spec = pod["spec"]
        seen.add(name)
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] > 0, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name
    assert seen == {*SERVICES, "migrate", "postgres-exporter", "sandbox", "demo"}


def test_settings_exist(production: Documents, demo: Documents) -> None:
    for documents in (production, demo):
        maps = {each["metadata"]["name"]: each["data"] for each in documents if each["kind"] == "ConfigMap"}
        assert maps
        assert all(unknown(data) == [] for data in maps.values())
        for name, pod in pods(documents):
            for container in pod["spec"]["containers"]:
                assert unknown({entry["name"]: entry["value"] for entry in container.get("env", [])}) == [], name
                assert {entry["configMapRef"]["name"] for entry in container.get("envFrom", [])} <= maps.keys(), name


def test_secrets_are_referred_to_and_never_written(production: Documents, demo: Documents, secrets: set[str]) -> None:
    """Each file that a pod reads is made by `scripts/secrets` and put into the secret that the guide names."""
    guide = (ROOT / "docs/deploy-kubernetes.md").read_text(encoding="utf-8").replace("\\\n", " ")
    made: dict[str, set[str]] = {}
    for name, files in re.findall(
        r"^kubectl -n connect create secret generic (\S+)((?: +--\S+)+)", guide, re.MULTILINE
    ):
        made[name] = {key.rpartition("=")[2] for key in re.findall(r"--from-file=(\S+)", files)}
    assert set().union(*made.values()) <= secrets
    for documents in (production, demo):
        assert not [each for each in documents if each["kind"] == "Secret"]
        for name, pod in pods(documents):
            volumes = {v["name"]: v["secret"]["secretName"] for v in pod["spec"]["volumes"] if "secret" in v}
            for container in pod["spec"]["containers"]:
                given = {m["mountPath"]: volumes[m["name"]] for m in container["volumeMounts"] if m["name"] in volumes}
                said = " ".join([*(e["value"] for e in container.get("env", [])), *container.get("args", [])])
                for folder, file in re.findall(r"(/run/secrets/\w+)/([\w.-]+)", said):
                    assert file in made[given[folder]], (name, file)
    asked = one(production, "Job", "migrate")["spec"]["template"]["spec"]["containers"][0]["args"][0]
    assert all(f"{kind}=@postgres-{kind}" in asked for kind in roles.KINDS)
    assert all(f"{kind}=@rabbitmq-{kind}" in asked for kind in users.KINDS)
    assert set(re.findall(r"@([\w-]+)", asked)) | {"amqp-url-declarer"} <= made["connect-owner"]


def test_metrics_and_queues_of_scaling_exist(production: Documents) -> None:
    exposed = {word for line in metrics_page.markdown().splitlines() for word in re.findall(r"`(connect_\w+)`", line)}
    rules = one(production, "PrometheusRule", "connect")["spec"]["groups"]
    recorded = {rule["record"] for group in rules for rule in group["rules"] if "record" in rule}
    queues = {entry["name"] for entry in _definitions()["queues"]}
    scaled = {each["spec"]["scaleTargetRef"]["name"]: each for each in production if each["kind"] == "ScaledObject"}
    assert scaled.keys() == {"importer", "exporter", "stock"}
    for name, each in scaled.items():
        text = " ".join(trigger["metadata"]["query"] for trigger in each["spec"]["triggers"])
        assert {trigger["name"] for trigger in each["spec"]["triggers"]} == {"queue", "records", "age"}
        assert set(re.findall(r"[\w]+:connect_\w+:\w+", text)) <= recorded, name
        assert set(re.findall(r"(?<![:\w])(connect_\w+)", text)) <= exposed, name
        assert set(re.findall(r'queue="([^"]+)"', text)) <= queues, name
        assert re.search(r'queue="', text), name
        # The number of processes is KEDA's alone.
        assert "replicas" not in one(production, "Deployment", name)["spec"]


def _definitions() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "deploy/rabbitmq/definitions.json").read_text(encoding="utf-8"))
    return read


def test_the_broker_has_the_limits_of_its_configuration_and_a_commit_waits_for_a_standby(
    production: Documents, demo: Documents
) -> None:
    kept = (ROOT / "deploy/rabbitmq/rabbitmq.conf").read_text(encoding="utf-8")
    lines = {line for line in kept.splitlines() if line and not line.startswith("#")}
    # The operator sets these itself, or the container's limit does.
    lines -= {"vm_memory_high_watermark.relative = 0.6", "log.console = true", "log.console.level = info"}
    broker = one(production, "RabbitmqCluster", "connect-rabbitmq")["spec"]
    assert lines <= set(broker["rabbitmq"]["additionalConfig"].splitlines())
    assert "cluster_partition_handling = pause_minority" in broker["rabbitmq"]["additionalConfig"]
    assert broker["replicas"] == 3
    for documents in (production, demo):
        database = one(documents, "Cluster", "connect-postgres")["spec"]
        assert database["postgresql"]["synchronous"] == {"method": "any", "number": 1, "dataDurability": "required"}
        assert database["instances"] >= 2


def test_the_database_has_sessions_for_the_most_processes_that_scaling_allows(production: Documents) -> None:
    most = {
        each["metadata"]["name"]: each["spec"]["replicas"]
        for each in production
        if each["kind"] == "Deployment" and each["metadata"]["name"] in SERVICES and "replicas" in each["spec"]
    }
    most |= {
        each["spec"]["scaleTargetRef"]["name"]: each["spec"]["maxReplicaCount"]
        for each in production
        if each["kind"] == "ScaledObject"
    }
    assert most.keys() == set(SERVICES)
    runbook = (ROOT / "docs/runbooks/DatabaseConnectionsHigh.md").read_text(encoding="utf-8")
    (each_process,) = re.findall(r"\((\d+) for each process of Connect", runbook)
    database = one(production, "Cluster", "connect-postgres")["spec"]["postgresql"]["parameters"]
    allowed = 0.85 * int(database["max_connections"])  # DatabaseConnectionsHigh is told beyond it
    assert allowed >= sum(most.values()) * int(each_process), most


def test_policies_open_ports_that_somebody_listens_on(production: Documents) -> None:
    named = {
        port["name"] for _, pod in pods(production) for c in pod["spec"]["containers"] for port in c.get("ports", [])
    }
    numbers = {53, 443, 465, 587, 5432, 5672, 8000, 9090, 15672, 15692, PORTS["alerts"]}
    policies = [each["spec"] for each in production if each["kind"] == "NetworkPolicy"]
    for policy in policies:
        for way in [*policy.get("ingress", []), *policy.get("egress", [])]:
            assert all(port["port"] in numbers | named for port in way.get("ports", []))
    closed = one(production, "NetworkPolicy", "nothing-else")["spec"]
    assert closed["policyTypes"] == ["Ingress", "Egress"]
    assert not closed.keys() & {"ingress", "egress"}
    labels = closed["podSelector"]["matchLabels"].items()
    assert all(labels <= pod["metadata"]["labels"].items() for _, pod in pods(production))
