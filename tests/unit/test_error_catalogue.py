"""The error catalogue is complete: whatever code is raised has an entry, both languages, every variable it shows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from shared.connectors.contract import Reason
from shared.errors.catalogue import UNCLASSIFIED, catalogue, entry, explain
from shared.errors.entry import GIVE_UP_AFTER, VARIABLE, Entry
from shared.errors.problem import Problem
from shared.records.states import State

ROOT = Path(__file__).parents[2]
CODES = sorted(catalogue())
KNOWN_ANYWAY = {"place", "system"}


def raised(tree: ast.AST) -> Iterator[tuple[int, str, set[str] | None, str | None]]:
    """Line, code, names of the values, and beginning of the key of each `Problem("…", …)` written out in the code.

    Values that are not written out as a dict are None: they cannot be judged here.
    """
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or getattr(node.func, "id", getattr(node.func, "attr", "")) != "Problem":
            continue
        given = dict(zip(("code", "field", "values", "key"), node.args, strict=False))
        given |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
        code, values, key = given.get("code"), given.get("values"), given.get("key")
        if not isinstance(code, ast.Constant):
            continue
        names: set[str] | None = set() if values is None else None
        if isinstance(values, ast.Dict) and all(isinstance(name, ast.Constant) for name in values.keys):
            names = {str(name.value) for name in values.keys if isinstance(name, ast.Constant)}
        start = key.values[0] if isinstance(key, ast.JoinedStr) else key
        begin = str(start.value) if isinstance(start, ast.Constant) and start.value is not None else None
        yield node.lineno, str(code.value), names, begin


def noted(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and code of each transition that a statement writes with its code spelt out: `… 'pending', 'retried' …`."""
    states = "|".join(State)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "INTO transitions" in node.value:
            for match in re.finditer(rf"(?='(?:{states})',(?: \w+,)* '([a-z]+(?:-[a-z]+)*)')", node.value):
                if match[1] not in set(State):
                    yield node.lineno, match[1]


def complaints(root: Path) -> list[str]:
    """What the code below `root` raises without the catalogue knowing enough about it."""
    found: list[str] = []
    for path in sorted([*root.glob("shared/**/*.py"), *root.glob("services/**/*.py")]):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name = path.relative_to(root)
        found += [f"{name}:{line}: {code} has no entry" for line, code in noted(tree) if code not in catalogue()]
        for line, code, names, key in raised(tree):
            where = f"{name}:{line}: {code}"
            known = catalogue().get(code)
            if known is None:
                found.append(f"{where} has no entry")
                continue
            missing = known.en.variables() - KNOWN_ANYWAY - (names or set())
            if names is not None and missing:
                found.append(f"{where} does not give {', '.join(sorted(missing))}")
            template = (known.key or "").split("{")[0]
            if key is not None and not key.startswith(template):
                found.append(f"{where} has the key {key}…, the catalogue says {known.key}")
    return found


def test_everything_raised_is_in_the_catalogue_with_its_variables() -> None:
    assert complaints(ROOT) == []


def test_a_code_without_entry_a_missing_variable_and_a_wrong_key_are_caught(tmp_path: Path) -> None:
    folder = tmp_path / "services" / "importer"
    folder.mkdir(parents=True)
    (folder / "stage.py").write_text(
        'a = Problem("no-such-code")\n'
        'b = Problem("payment-unmapped", "payment.method", {"method": "X"}, key=f"shipping:{x}")\n'
        'c = Problem("payment-unmapped", values={"payment": "X"}, key="payment:X")\n'
        "d = \"INSERT INTO transitions SELECT id, 'running', 'failed', claim_no, 'made-up' FROM u\"\n"
    )
    assert complaints(tmp_path) == [
        "services/importer/stage.py:4: made-up has no entry",
        "services/importer/stage.py:1: no-such-code has no entry",
        "services/importer/stage.py:2: payment-unmapped does not give payment",
        "services/importer/stage.py:2: payment-unmapped has the key shipping:…, the catalogue says payment:{payment}",
    ]


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_of_a_connector_is_explained(reason: Reason) -> None:
    assert entry(reason.value).code == reason.value


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason.outcome_unknown])
def test_an_unknown_outcome_is_tried_again_by_itself(reason: Reason) -> None:
    assert entry(reason.value).retry == "backoff"


@pytest.mark.parametrize("code", CODES)
def test_an_explanation_with_all_values_shows_them_and_no_placeholder(code: str) -> None:
    values = {name: f"<{name}>" for name in entry(code).en.variables()}
    for language in ("de", "en"):
        said = explain(Problem(code, "lines.0.sku", values), language)
        text = " ".join((said.title, said.cause, *said.steps))
        assert "{" not in text
        assert "‹" not in text
        assert all(value in text for value in values.values())


@pytest.mark.parametrize("code", CODES)
def test_a_missing_value_shows_as_its_name_and_never_raises(code: str) -> None:
    said = explain(Problem(code), "de")
    text = " ".join((said.title, said.cause, *said.steps))
    assert all(f"‹{name}›" in text for name in entry(code).de.variables() - KNOWN_ANYWAY)
    assert "{" not in text


@pytest.mark.parametrize("code", CODES)
def test_the_list_shows_one_plain_sentence(code: str) -> None:
    for language in ("de", "en"):
        title = entry(code).texts(language).title
        assert len(title) <= 120
        assert title.endswith((".", "}"))


@pytest.mark.parametrize("code", CODES)
def test_nobody_is_asked_to_act_only_where_it_heals_or_ends_by_itself(code: str) -> None:
    known = entry(code)
    if known.owner == "nobody":
        assert known.retry in ("backoff", "when the key clears") or "nothing to do" in known.en.remedy[0]


def test_an_unknown_code_is_explained_all_the_same() -> None:
    said = explain(Problem("made-up-yesterday"), "en")
    assert said.code == "made-up-yesterday"
    assert "made-up-yesterday" in said.title
    assert entry("made-up-yesterday").code == UNCLASSIFIED


def test_a_value_with_braces_is_shown_as_it_is() -> None:
    assert "{rate}" in explain(Problem("payment-unmapped", values={"payment": "{rate}"})).title


def test_the_place_is_said_in_words_of_the_language() -> None:
    problem = Problem("tax-missing", "lines.2.tax_rate")
    assert "Position 3, Steuersatz" in explain(problem, "de").title
    assert "line 3, tax rate" in explain(problem, "en").title


@pytest.mark.parametrize(
    ("code", "german", "english"),
    [
        ("stock-drifted", "Bei einem Artikel zeigt", "of one article than"),
        ("parent-fanned-out", "seine Variante ist", "variant has"),
    ],
)
def test_a_single_one_is_spoken_of_as_one(code: str, german: str, english: str) -> None:
    one, many = (Problem(code, values={"count": count}) for count in ("1", "2"))
    assert german in explain(one, "de").title
    assert english in explain(one, "en").title
    assert german not in explain(many, "de").title
    assert "2" in explain(many, "en").title


def test_a_key_is_made_of_the_values() -> None:
    assert entry("payment-unmapped").key_for({"payment": "PAYPAL"}) == "payment:PAYPAL"
    assert entry("payment-unmapped").key_for({}) is None
    assert entry("payment-missing").key_for({}) is None


def test_every_variable_of_a_key_is_one_of_the_texts() -> None:
    for known in catalogue().values():
        assert set(VARIABLE.findall(known.key or "")) <= known.en.variables(), known.code


def test_repetitions_grow_apart_and_fill_five_days() -> None:
    known = entry("remote-timeout")
    delays = [known.delay(tries) for tries in range(1, 60)]
    assert all(one is not None and one <= (two or 0) for one, two in pairwise(delays))
    assert delays[0] == 10
    assert (
        sum(delay or 0 for delay in delays[:15]) < GIVE_UP_AFTER.total_seconds() < sum(delay or 0 for delay in delays)
    )
    assert entry("payment-unmapped").delay(1) is None


def test_an_entry_that_speaks_only_one_language_is_refused() -> None:
    with pytest.raises(ValueError, match="en"):
        Entry.model_validate({**entry("sku-unknown").model_dump(by_alias=True, exclude={"en"})})
