"""Adding a connector touches one folder: no other code knows its name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.connectors.registry import discover

PROJECT = Path(__file__).parents[2]
# The demo has to say which two systems it connects.
EXCEPT = re.compile(r"^services/cli/.*(demo|seed|fixed)")


@pytest.mark.parametrize("key", discover())
def test_the_name_of_a_system_appears_in_its_folder_only(key: str) -> None:
    word = re.compile(rf"(?i)(?<![a-z]){key}(?![a-z])")
    found = []
    for top in ("shared", "services"):
        for path in (PROJECT / top).rglob("*"):
            name = path.relative_to(PROJECT).as_posix()
            own = name.startswith(f"shared/connectors/{key}/")
            if path.suffix not in (".py", ".sql", ".toml", ".html", ".js") or own or EXCEPT.search(name):
                continue
            # Example interfaces in docstrings, such as otto-de, are examples and no knowledge.
            text = path.read_text(encoding="utf-8").replace("otto-de", "")
            code = "\n".join(line.split("#")[0] for line in text.splitlines())
            code = re.sub(r'"""[\s\S]*?"""', "", code) if path.suffix == ".py" else code
            found += [f"{name}: {match[0]}" for match in word.finditer(code)]
    assert not found
