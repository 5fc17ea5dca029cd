"""Every verb that is audited anywhere has a sentence, in both languages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from shared.people.audit_words import LABELS, SENTENCES, details, sentence
from shared.records.resources import RESOURCES

ROOT = Path(__file__).parents[2]


def audited() -> Iterator[tuple[str, ast.expr]]:
    """Place and verb of each call of `audit(conn, actor, verb, …)` in our code."""
    for top in ("services", "shared"):
        for path in sorted((ROOT / top).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                called = node.func if isinstance(node, ast.Call) else None
                if isinstance(called, ast.Name) and called.id == "audit" and len(node.args) >= 3:  # type: ignore[attr-defined]
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node.args[2]  # type: ignore[attr-defined]


def spelt(verb: ast.expr) -> list[str]:
    """Regular expressions of what a verb may be: one for a text, one for an f-string, both of a condition."""
    match verb:
        case ast.Constant(value=str(text)):
            return [re.escape(text)]
        case ast.IfExp():
            return [*spelt(verb.body), *spelt(verb.orelse)]
        case ast.JoinedStr():
            parts = [re.escape(str(p.value)) if isinstance(p, ast.Constant) else "[a-z-]+" for p in verb.values]
            return ["".join(parts)]
    return ["never"]


def test_every_audited_verb_has_a_sentence() -> None:
    found = list(audited())
    assert len(found) > 20
    silent = [
        (place, pattern)
        for place, verb in found
        for pattern in spelt(verb)
        if not any(re.fullmatch(pattern, known) for known in SENTENCES)
    ]
    assert silent == []
    asked = {f"{resource.name}.{verb}" for resource in RESOURCES for verb in ("retry", resource.verb)}
    assert asked <= SENTENCES.keys()


def test_sentences_and_labels_say_something_in_both_languages() -> None:
    for texts in (*SENTENCES.values(), *LABELS.values()):
        assert all(text.strip() for text in texts)
    assert sentence("orders.retry", "de") == "Aufträge wiederholt"
    assert sentence("new.verb") == "new.verb"


def test_details_are_flat_and_leave_out_what_says_nothing() -> None:
    target = {"filter": "state:failed", "counts": {"matched": 2, "skipped": 0}, "flow": None, "edited": False, "x": "y"}
    assert list(details(target, "de")) == [
        ("filter", "Filter", "state:failed"),
        ("matched", "gefunden", "2"),
        ("x", "x", "y"),
    ]
    assert list(details({"cancels": False, "names": ["a", "b"]}, "en")) == [
        ("names", "changed", "a, b"),
        ("cancels", "cancels too", "no"),
    ]
    change = {"role": {"before": "viewer", "now": "admin"}, "language": {"before": None, "now": "de"}}
    assert list(details(change, "de")) == [("role", "Rolle", "viewer → admin"), ("language", "Sprache", "– → de")]
    assert list(details({"active": {"before": True, "now": False}}, "de")) == [("active", "aktiv", "ja → nein")]
