"""A short share of the fuzzing with every change; it finds bugs that are planted; and what it found stays mended."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from shared.connectors import http as http_module
from shared.connectors.contract import Reason, RemoteError
from shared.connectors.depth import MOST_DEPTH, too_deep
from shared.connectors.http import _parse, retry_after
from shared.connectors.unexpected import careful
from shared.connectors.vendure.amounts import shipping_rate
from shared.db.connect import connect
from shared.records import filter as filter_module
from shared.records.filter_sql import to_sql
from tests.fuzz import answers, decoding, filters
from tests.fuzz.crew import TARGETS
from tests.fuzz.run import Findings, drawn, fuzz

SHARE = {"decode": 500, "mapping": 300, "filter": 700, "answer": 150}


def findings(name: str, count: int, seed: int = 1, folder: Path | None = None) -> Findings:
    found = Findings(folder)
    share = fuzz(TARGETS[name], seed, 0, count, found)
    assert share.inputs == count
    return found


@pytest.mark.parametrize("name", SHARE)
def test_no_input_breaks_a_rule(name: str, tmp_path: Path) -> None:
    found = findings(name, SHARE[name], folder=tmp_path)
    told = [file.read_text(encoding="utf-8", errors="replace")[-2000:] for file in tmp_path.glob("*.txt")]
    assert not found.counts, told


def test_the_same_seed_draws_the_same_inputs_and_another_one_others() -> None:
    for target in TARGETS.values():
        first = [drawn(target, 3, number) for number in range(20)]
        assert first == [drawn(target, 3, number) for number in range(20)]
        assert first != [drawn(target, 4, number) for number in range(20)]


def test_inputs_reach_both_sides_of_every_reader() -> None:
    """Were nearly all of them refused at the door, nothing behind it would be tried."""
    for name, taken in (("decode", "event"), ("filter", "filter of"), ("mapping", "drafted"), ("answer", "1 events")):
        share = fuzz(TARGETS[name], 2, 0, 200, Findings(None))
        good = sum(count for outcome, count in share.outcomes.items() if taken in outcome)
        assert 10 <= good <= 190, (name, share.outcomes)


# -- bugs that are planted have to be found ------------------------------------------------------------------------


def test_a_decoder_that_lets_a_nul_pass_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shared.runtime.decode._suspicious", lambda _: False)
    assert findings("decode", 1500, folder=tmp_path).counts
    file = next(tmp_path.glob("decode-*.bin"))
    with pytest.raises(AssertionError):
        decoding.check(file.read_bytes())


def test_a_spelling_that_is_another_filter_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filter_module, "_quote", lambda value: value)
    assert findings("filter", 300).counts


def test_a_mapping_that_trusts_its_input_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.connectors.otto.mapping._mappings", lambda value: value or [])
    assert findings("mapping", 300).counts


def test_a_connector_without_care_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "careful", lambda capability, _: capability)
    assert findings("answer", 300).counts


# -- what was found --------------------------------------------------------------------------------------------------


def test_dates_outside_of_the_calendar_are_none() -> None:
    for odd in ("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", "Wed, 21 Oct"):
        assert retry_after(odd) is None


@pytest.mark.parametrize("status", [301, 429])
def test_headers_that_make_no_sense_are_no_reason_to_stop(status: int) -> None:
    headers = {"Location": "http://[::1", "Date": "Wed, 21 Oct 99999999999999999999 07:28:00 GMT", "Retry-After": "//["}
    told: dict[str, Any] = {"status": status, "headers": headers, "bodies": {"/x": {}}}
    with answers._client(told) as http, pytest.raises(RemoteError) as caught:
        http.request_json("try", "GET", "/x")
    assert caught.value.reason is (Reason.BROKEN_ANSWER if status == 301 else Reason.RATE_LIMITED)


def test_an_answer_that_nests_too_deep_is_no_json() -> None:
    deep, fine = b"[1," * (MOST_DEPTH + 1) + b"1" + b"]" * (MOST_DEPTH + 1), b"[" * MOST_DEPTH + b"]" * MOST_DEPTH
    assert too_deep(deep)
    assert not too_deep(fine)
    assert not too_deep(b'{"a":"' + b"[" * 1000 + rb'\""}')
    assert _parse(deep) == (None, False)
    assert _parse(fine)[1]
    assert http_module._parse(b'{"a": 1}') == ({"a": 1}, True)


@pytest.mark.parametrize("price", ["1e-320", 1e-7, "0.0001"])
def test_a_delivery_that_costs_next_to_nothing_has_no_rate(price: Any) -> None:
    assert shipping_rate(price, 499, []) is shipping_rate(price, 499, [19]) is None
    assert shipping_rate(419, 499, [7, 19]) == "19.0"


class Trusting:
    """A connector that reads one field of whatever is answered."""

    def __init__(self, http: Any) -> None:
        self._http = http

    def read(self, path: str) -> str:
        """One call."""
        return str(self._http.request_json("read", "GET", path).body["data"]["id"])

    def pages(self) -> Any:
        """Two calls, in turn."""
        for path in ("/good", "/odd"):
            yield self.read(path)

    def draft(self) -> str:
        """No call at all."""
        return {}["mistake of ours"]  # type: ignore[no-any-return]


def test_an_unexpected_form_is_a_broken_answer_and_a_mistake_of_ours_stays_one() -> None:
    told: dict[str, Any] = {
        "status": 200,
        "headers": {},
        "bodies": {"/good": {"data": {"id": 1}}, "/odd": {"data": [7]}},
    }
    with answers._client(told) as http:
        reader = careful(Trusting(http), http)
        assert reader.read("/good") == "1"
        with pytest.raises(KeyError):
            reader.draft()
        with pytest.raises(RemoteError) as caught:
            reader.read("/odd")
        assert (caught.value.reason, "TypeError in " in caught.value.detail) == (Reason.BROKEN_ANSWER, True)
        pages = reader.pages()
        assert next(pages) == "1"
        with pytest.raises(RemoteError):
            next(pages)


# -- real Postgres ---------------------------------------------------------------------------------------------------


def test_the_sql_of_any_filter_is_valid(database_url: str) -> None:
    """Postgres plans each condition that a filter becomes; a condition that is none is refused."""
    found = [each for number in range(160) if (each := filters.read(drawn(filters.TARGET, 11, number))) and each.terms]
    statements = [statement for each in found[:60] for statement in filters.statements(each)]
    assert len(statements) > 200
    with connect(database_url, "tests", statement_timeout=30) as conn:
        for sql, values in statements:
            conn.execute(f"EXPLAIN SELECT 1 FROM records r WHERE {sql}".encode(), values)
        with pytest.raises(Exception, match="syntax"):
            conn.execute(
                f"EXPLAIN SELECT 1 FROM records r WHERE {to_sql(found[0])[0]} AND".encode(), to_sql(found[0])[1]
            )


def test_draws_need_nothing_but_a_generator() -> None:
    assert all(isinstance(target.draw(Random(1)), bytes) for target in TARGETS.values())
