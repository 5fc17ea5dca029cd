"""A known weakness fails the check, and no answer never passes for a good one."""

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import audit  # type: ignore[import-not-found]  # a script, no package


def _ran(monkeypatch: pytest.MonkeyPatch, script: ModuleType, document: str) -> None:
    class Ran:
        stdout = document

    monkeypatch.setattr(script.subprocess, "run", lambda *_args, **_more: Ran())


WEAK = {"name": "acme", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
WELL = {"name": "well", "version": "2.0", "vulns": []}
UNASKED = {"name": "own", "skip_reason": "nobody answered"}


@pytest.mark.parametrize(
    ("found", "plain", "must", "says"),
    [
        ([WELL, WEAK], 1, 1, "acme 1.0: PYSEC-1, mended in 1.1"),
        ([WEAK, UNASKED], 1, 1, "acme 1.0"),
        ([WELL], 0, 0, "No dependency has a known weakness"),
        ([WELL, UNASKED], 0, 1, "NOT ASKED"),
        ([], 0, 1, "NOT ASKED"),
        (None, 0, 1, "NOT ASKED"),
    ],
)
def test_what_an_answer_means(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    found: list[dict[str, object]] | None,
    plain: int,
    must: int,
    says: str,
) -> None:
    _ran(monkeypatch, audit, "" if found is None else json.dumps({"dependencies": found}))
    assert audit.main([]) == plain
    assert says in capsys.readouterr().out
    assert audit.main(["--must"]) == must
