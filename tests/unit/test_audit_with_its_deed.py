"""A line of the audit is written in the transaction of its deed: one is not there without the other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ELSEWHERE = {
    "services/cli/credentials.py": "each secret is a transaction, and the line says how many were done",
    "services/cli/interfaces.py": "the deed is done in the ERP",
    "services/journal/api/interfaces.py": "it tests connections and changes nothing",
}
"""Files with a line whose deed is not in this database, or in many transactions."""


def alone(source: str) -> Iterator[int]:
    """Lines that call `audit(…)` outside of a transaction, in functions that make or take their own connection.

    A function that is handed a connection works inside of its caller's transaction, as it says there.
    """

    def visit(node: ast.AST, inside: bool) -> Iterator[int]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            takes = [argument.arg for argument in node.args.args]
            # `turn.conn` of a turn that was handed over is the caller's connection as well.
            inside = "conn" in takes or any(f"{one}.conn" in ast.unparse(node) for one in takes)
        if isinstance(node, ast.With):
            inside = inside or any(
                isinstance(item.context_expr, ast.Call)
                and isinstance(item.context_expr.func, ast.Attribute)
                and item.context_expr.func.attr == "transaction"
                for item in node.items
            )
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "audit" and not inside:
            yield node.lineno
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside)

    yield from visit(ast.parse(source), False)


def test_every_line_of_the_audit_is_written_with_its_deed() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for top in ("services", "shared")
        for path in sorted((ROOT / top).rglob("*.py"))
        for line in alone(path.read_text(encoding="utf-8"))
        if path.relative_to(ROOT).as_posix() not in ELSEWHERE
    ]
    assert not found, f"put the deed and its audit into one transaction: {found}"


@pytest.mark.parametrize("before", ["with journal.database() as conn:", "if True:"])
def test_the_rule_finds_a_deed_without_a_transaction(before: str) -> None:
    deed = f"def f(journal):\n    {before}\n        do(conn)\n        audit(conn, 'x', 'y.z')"
    assert list(alone(deed)) == [4]
    both = "with journal.database() as conn, conn.transaction():"
    assert not list(alone(deed.replace(before, both)))
