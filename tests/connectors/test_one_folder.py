"""Adding a connector touches one folder: no other code knows its name."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from shared.connectors.registry import discover

PROJECT = Path(__file__).parents[2]
# The demo has to say which two systems it connects.
DEMO = re.compile(r"^services/cli/.*(demo|seed|fixed)")
# In help texts, a name of an interface or of an event's source is an example and no knowledge.
EXAMPLES = re.compile(r"otto-de|/marketplaces/otto")


def code_of(path: Path, word: re.Pattern[str]) -> str:
    """The text that runs: without comments and docstrings. Whole where the word does not occur in it at all."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py" or not word.search(text):
        return text
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            # Strings that stand alone, wherever they stand, are documentation.
            node.body = [each for each in node.body if not _is_text(each)] or [ast.Pass()]
    return ast.unparse(tree)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@pytest.mark.parametrize("key", discover())
def test_the_name_of_a_system_appears_in_its_folder_only(key: str) -> None:
    word = re.compile(rf"(?i)(?<![a-z]){key}(?![a-z])")
    found = []
    for top in ("shared", "services"):
        for path in sorted((PROJECT / top).rglob("*")):
            name = path.relative_to(PROJECT).as_posix()
            own = name.startswith(f"shared/connectors/{key}/")
            if path.suffix in (".py", ".sql", ".toml", ".html", ".js") and not own and not DEMO.search(name):
                found += [f"{name}: {match[0]}" for match in word.finditer(EXAMPLES.sub("", code_of(path, word)))]
    assert not found
