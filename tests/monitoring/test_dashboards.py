"""Dashboards are what their builder says, and what is empty while all is well has been seen with data."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from deploy.grafana.builder.__main__ import FOLDER, boards, main, stale
from tests.monitoring.questions import filled, questions
from tests.monitoring.rules import CASES, records


def test_no_dashboard_is_stale_missing_or_left_over(tmp_path: Path) -> None:
    assert stale(FOLDER) == {}, "run: make dashboards"
    (tmp_path / "connect-gone.json").write_text("{}")
    (tmp_path / "connect-flow.json").write_text("{}")
    noticed = stale(tmp_path)
    assert noticed.keys() == {tmp_path / f"{board.uid}.json" for board in boards()} | {tmp_path / "connect-gone.json"}
    assert noticed[tmp_path / "connect-gone.json"] is None


def test_links_lead_where_an_installation_says_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    theirs = tmp_path / "shop.json"
    theirs.write_text("{}")
    assert (
        main(["--into", str(tmp_path), "--runbooks", "https://wiki.example.org/r/", "--journal", "https://j.example"])
        == 0
    )
    assert theirs.read_text() == "{}"
    written = sorted(tmp_path.glob("connect-*.json"))
    assert [path.stem for path in written] == sorted(board.uid for board in boards())
    for path in written:
        variables = json.loads(path.read_text(encoding="utf-8"))["templating"]["list"]
        assert {one["name"]: one["query"] for one in variables if one["type"] == "textbox"} == {
            "journal": "https://j.example", "runbooks": "https://wiki.example.org/r",
        }  # fmt: skip
    assert stale(FOLDER) == {}


def test_panels_are_told_apart_explained_and_do_not_overlap() -> None:
    for path in sorted(FOLDER.glob("*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        assert board["uid"] == path.stem
        panels = board["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        taken: set[tuple[int, int]] = set()
        for panel in panels:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, panel["title"]
            taken |= cells
            if panel["type"] != "row":
                assert panel["description"].endswith(".")
                assert panel["fieldConfig"]["defaults"]["unit"]
                lines = panel["type"] == "timeseries" or len(panel["targets"]) > 1
                assert not lines or all(one["legendFormat"] != "__auto" for one in panel["targets"]), panel["title"]


def test_recorded_names_that_are_asked_for_exist() -> None:
    recorded = {rule["record"] for rule in records()}
    asked = {word for _, query in questions() for word in _words(query.expr) if ":" in word}
    assert asked <= recorded, asked - recorded


def test_what_is_quiet_while_all_is_well_is_proved_with_data() -> None:
    (case,) = [path for path in CASES if path.stem == "quiet"]
    proved = {
        " ".join(test["expr"].split())
        for group in yaml.safe_load(case.read_text(encoding="utf-8"))["tests"]
        for test in group["promql_expr_test"]
        if test["exp_samples"]
    }
    quiet = {filled(query.expr) for _, query in questions() if query.quiet}
    assert quiet == proved


def _words(expr: str) -> set[str]:
    """Names of series: what may hold a colon, outside of quotes."""
    bare = "".join(expr.split('"')[::2])
    return set("".join(c if c.isalnum() or c in "_:" else " " for c in bare).split())
