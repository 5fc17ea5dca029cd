"""One filter finds the same in every place, facets count what it would find, and suggestions lead to filters."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.cli.__main__ import main
from shared.db.connect import Connection, connect
from shared.records import counts, sample
from shared.records.counts import counts_by_state
from shared.records.facets import as_json, facets
from shared.records.filter import STATES, parse
from shared.records.listing import list_records, stream
from shared.records.resources import RESOURCES, Resource
from shared.records.selected import selected
from shared.records.sorts import SORTS
from shared.records.suggestions import suggestions
from tests.support import servers
from tests.support.assorted import FILTERS, fill

pytestmark = pytest.mark.servers
ZONE = ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def url(postgres_server: str) -> Iterator[str]:
    with servers.database(postgres_server, f"t{uuid.uuid4().hex}") as made:
        yield made


@pytest.fixture(scope="module")
def filled(url: str) -> Iterator[Connection]:
    with connect(url, "tests") as conn:
        fill(conn)
        yield conn


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=FILTERS, resource=st.sampled_from(RESOURCES), sort=st.sampled_from([*SORTS, *(f"-{name}" for name in SORTS)]),
    few=st.booleans(),
)  # fmt: skip
def test_the_same_filter_finds_the_same_everywhere(
    filled: Connection, text: str, resource: Resource, sort: str, few: bool
) -> None:
    """Pages however they come by their records, the stream, the selection for a bulk run, and all counts."""
    filter, flow = parse(text, ZONE, ["otto-de", "shop"]), resource.flow
    with pytest.MonkeyPatch.context() as patch:
        if few:  # nearly everything is too much
            patch.setattr("shared.records.listing.STEPS", 5)
            patch.setattr("shared.records.few.FEW", 3)
        streamed = [item["id"] for item in stream(filled, flow, filter, sort=sort)]
        paged, cursor = [], None
        while True:
            page = list_records(filled, flow, filter, sort=sort, cursor=cursor, limit=7)
            paged += [item["id"] for item in page.items]
            assert (page.count, page.capped) == (len(streamed), False)
            if (cursor := page.next) is None:
                break
    assert paged == streamed
    assert selected(filled, flow, None, filter) == sorted(streamed)
    of_state = {item["id"]: item["state"] for item in stream(filled, flow, filter) if not item["test"]}
    if "test:" not in text:
        by_state = counts_by_state(filled, flow, filter)
        assert {state: int(many) for state, many in by_state.items()} == {
            state: list(of_state.values()).count(state) for state in STATES
        }


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=FILTERS, resource=st.sampled_from(RESOURCES))
def test_a_facet_counts_what_its_value_would_find(filled: Connection, text: str, resource: Resource) -> None:
    filter = parse(text, ZONE, ["otto-de", "shop"])
    tests = [] if "test:" in text else ["test:no"]
    for name, values in facets(filled, resource.flow, filter).items():
        others = [term.text for term in filter.terms if {atom.word for atom in term.atoms} != {name}]
        for value, many in values.items():
            wanted = parse(" ".join([*others, *tests, f"{name}:{value}"]), ZONE)
            assert (int(many), many.capped) == (list_records(filled, resource.flow, wanted).count, False), value


def test_what_is_too_much_to_count_is_said_to_be_at_least_so_many(
    filled: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "COUNTED_TO", 10)
    monkeypatch.setattr(sample, "LOOKED_AT", 20)
    monkeypatch.setattr("shared.records.few.FEW", 3)
    plain = facets(filled, "order-import", parse("", ZONE))["interface"]
    assert {(int(many), many.capped) for many in plain.values()} == {(10, True)}
    some = list_records(filled, "order-import", parse("test:no -error:sku-unknown", ZONE))
    assert some.capped
    assert 0 < some.count <= 10


def test_the_commands_show_the_same(
    filled: Connection, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("CONNECT_DATABASE_URL", url)
    monkeypatch.setenv("CONNECT_SECRET_KEY", "a-secret-of-the-tests")
    monkeypatch.setenv("CONNECT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CONNECT_TIME_ZONE", "Europe/Berlin")
    monkeypatch.chdir(tmp_path)
    text = "state:failed|done muller -error:sku-unknown ordered>=2026-11-05"
    asked = ("--filter", text, "--json")
    assert main(("orders", "list", *asked)) == 0
    listed = [item["id"] for item in json.loads(capsys.readouterr().out)["items"]]
    assert listed == [item["id"] for item in stream(filled, "order-import", parse(text, ZONE))] != []
    assert main(("orders", "facets", *asked)) == 0
    assert json.loads(capsys.readouterr().out)["facets"] == as_json(facets(filled, "order-import", parse(text, ZONE)))
    assert main(("orders", "facets")) == 0
    assert "state:failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "caret", "first"),
    [
        ("sta", None, "state:"),
        ("state:fai", None, "state:failed "),
        ("state:failed|wai muller", 16, "state:failed|waiting muller"),
        ("-interface:sh", None, "-interface:shop "),
        ("error:sku", None, "error:sku-unknown "),
        ("track", None, "tracking:"),
        ("paym", None, "error:payment-unmapped "),
        ('"a b', None, None),
        ("ordered>=2026", None, "ordered>="),
    ],
)
def test_suggestions_lead_to_filters(filled: Connection, text: str, caret: int | None, first: str | None) -> None:
    found = suggestions(filled, "order-export", text, len(text) if caret is None else caret, ZONE, ["otto-de", "shop"])
    assert [one.text for one in found[:1]] == ([] if first is None else [found[0].text])
    if first is not None:
        assert found[0].text.startswith(first)
        assert found[0].caret <= len(found[0].text)
