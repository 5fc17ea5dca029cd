"""The reader itself: what a document says and does not come is noticed, with its line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.docs.fenced import blocks
from tests.docs.reader import Differs, Reader

DOCUMENT = """
```json title="a.json"
{"a": 1}
```

1. In a list:

   ```sh
   export A=1
   cat a.json
   ```

   ```json
   {"a": ANSWER}
   ```

```sh
echo "A is   $A, at $(basename http://here:1)"; echo more
```

```text
A is 1, TEXT
```
"""


def follow(folder: Path, answer: str, text: str) -> int:
    path = folder / "a.md"
    path.write_text(DOCUMENT.replace("ANSWER", answer).replace("TEXT", text), encoding="utf-8")
    reader = Reader(folder, {"PATH": os.environ["PATH"]}, {"http://here:1": "http://there:2"})
    return reader.follow("a.md", blocks(path))


def test_files_are_written_commands_run_and_answers_compared(tmp_path: Path) -> None:
    assert follow(tmp_path, "1", "at there:2") == 2
    assert follow(tmp_path, '"…"', "at …") == 2


@pytest.mark.parametrize(
    ("answer", "text", "said"),
    [
        ("2", "…", r"a.md:8: .*\.a is 1"),
        ('1, "b": 1', "…", "a.md:8"),
        ('{"…": 1}', "…", "a.md:8"),
        ("1", "on …", "a.md:17: this line does not come"),
    ],
)
def test_what_does_not_come_is_named_with_its_line(tmp_path: Path, answer: str, text: str, said: str) -> None:
    with pytest.raises(Differs, match=said):
        follow(tmp_path, answer, text)


def test_a_command_that_fails_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("```sh\nfalse | true\n```\n", encoding="utf-8")
    with pytest.raises(Differs, match=r"a\.md:1: exit 1"):
        Reader(tmp_path, {"PATH": os.environ["PATH"]}).follow("a.md", blocks(tmp_path / "a.md"))
