"""The contracts: golden samples are accepted by us and by the CloudEvents SDK; malformed values are refused by name."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ValidationError

from shared.events.envelope import CONTRACTS
from shared.events.schemas import schema

SAMPLES = Path(__file__).parents[2] / "shared" / "events" / "samples"
FILES = sorted(SAMPLES.glob("*/*.json"))
IDS = [f"{path.parent.name}/{path.stem}" for path in FILES]

names = some.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12).map(lambda name: f"x_{name}")
anything = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def read(path: Path) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return event


def sample(name: str) -> dict[str, Any]:
    return read(SAMPLES / f"{name}.json")


def decode(event: dict[str, Any]) -> Any:
    return CONTRACTS[event["type"]].model_validate_json(json.dumps(event))


def refused(event: dict[str, Any]) -> set[str]:
    """The paths of the fields that are refused."""
    try:
        decode(event)
    except ValidationError as error:
        return {".".join(str(part) for part in problem["loc"]) for problem in error.errors()}
    return set()


def changed(event: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one value replaced; the value `...` takes the field away."""
    made = copy.deepcopy(event)
    inside: Any = made
    *way, last = (int(part) if part.isdecimal() else part for part in path.split("."))
    for part in way:
        inside = inside[part]
    if value is ...:
        del inside[last]
    else:
        inside[last] = value
    return made


def test_every_contract_has_a_minimal_and_a_full_sample() -> None:
    have = {(path.parent.name, path.stem) for path in FILES}
    assert {(kind, stem) for kind in CONTRACTS for stem in ("minimal", "full")} <= have
    assert {path.parent.name for path in FILES} == set(CONTRACTS)


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_a_sample_decodes_and_encodes_to_itself(path: Path) -> None:
    event = decode(read(path))
    assert event.type == path.parent.name
    assert json.loads(event.model_dump_json(exclude_unset=True)) == read(path)


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_a_sample_is_a_cloud_event_to_the_sdk(path: Path) -> None:
    event = JSONFormat().read(CloudEvent, path.read_bytes())
    ours = decode(read(path))
    assert (event.get_id(), event.get_source(), event.get_type()) == (ours.id, ours.source, ours.type)
    assert event.get_time() == ours.time
    assert event.get_data() == read(path)["data"]


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_a_sample_follows_the_published_schema(path: Path) -> None:
    jsonschema.Draft202012Validator(schema(path.parent.name)).validate(read(path))


@pytest.mark.parametrize("kind", sorted(CONTRACTS))
def test_the_full_sample_fills_every_field(kind: str) -> None:
    """So that a field which is added later gets into the samples too."""

    def empty(model: Any, where: str) -> list[str]:
        found = []
        for field in type(model).model_fields:
            value = getattr(model, field)
            if field not in model.model_fields_set:
                found.append(f"{where}{field}")
            for part in value if isinstance(value, tuple) else (value,):
                if hasattr(part, "model_fields_set"):
                    found += empty(part, f"{where}{field}.")
        return found

    assert empty(decode(sample(f"{kind}/full")), "") == []


@pytest.mark.parametrize("path", FILES, ids=IDS)
@given(name=names, value=anything)
def test_unknown_fields_are_ignored_everywhere(path: Path, name: str, value: Any) -> None:
    known = read(path)

    def with_extra(part: Any) -> Any:
        if isinstance(part, dict):
            return {**{key: with_extra(inner) for key, inner in part.items()}, name: value}
        return [with_extra(inner) for inner in part] if isinstance(part, list) else part

    assert decode(with_extra(known)) == decode(known)


@given(sku=some.text(min_size=1, max_size=200).filter(lambda text: text.isprintable()))
def test_a_sku_is_any_text(sku: str) -> None:
    event = decode(changed(sample("stock-changed.v1/minimal"), "data.sku", sku))
    assert event.data.sku == sku


@given(hours=some.integers(-12, 14))
def test_one_instant_has_one_form_whatever_its_offset(hours: int) -> None:
    written = f"2026-11-23T10:00:00{'-' if hours < 0 else '+'}{abs(hours):02}:00"
    event = decode(changed(sample("stock-changed.v1/minimal"), "time", written))
    assert event.time.utcoffset().total_seconds() == 0
    assert (event.time.hour + hours) % 24 == 10


ORDER = "order-imported.v1/full"
LINE = "data.order.lines.0."
BAD = [
    (ORDER, "data.order.total", 39.88),
    (ORDER, "data.order.total", "39,88"),
    (ORDER, "data.order.total", "1e3"),
    (ORDER, "data.order.total", "NaN"),
    (ORDER, "data.order.total", ""),
    (ORDER, "data.order.currency", "eur"),
    (ORDER, "data.order.currency", "EURO"),
    (ORDER, "data.order.billing_address.country", "DEU"),
    (ORDER, "data.order.shipping_address.country", "de"),
    (ORDER, "data.order.lines", ...),
    (ORDER, "data.order.lines", []),
    (ORDER, "data.order.lines", None),
    (ORDER, LINE + "quantity", -1),
    (ORDER, LINE + "quantity", 0),
    (ORDER, LINE + "quantity", 1.5),
    (ORDER, LINE + "quantity", "2"),
    (ORDER, LINE + "quantity", True),
    (ORDER, LINE + "quantity", 10**400),
    (ORDER, LINE + "sku", ""),
    (ORDER, LINE + "unit_price", 19.99),
    (ORDER, LINE + "tax_rate", 19),
    (ORDER, LINE + "tax_rate", "-19.0"),
    (ORDER, "data.order.shipping.price", 4.9),
    (ORDER, "data.order.discounts.0.amount", "5 EUR"),
    (ORDER, "data.order.number", " 4711"),
    (ORDER, "data.order.number", ""),
    (ORDER, "data.order.number", 4711),
    (ORDER, "data.order.number", ...),
    (ORDER, "data.order.marketplace_id", ...),
    (ORDER, "data.order.status", "paid"),
    (ORDER, "data.order.version", -1),
    (ORDER, "data.order.version", "3"),
    (ORDER, "data.order.ordered_at", "2026-11-23T09:58:00"),
    (ORDER, "data.order.ordered_at", "yesterday"),
    (ORDER, "data.order.ordered_at", "2026-02-30T09:58:00Z"),
    (ORDER, "data.interface", "Otto DE"),
    (ORDER, "data.interface", ""),
    (ORDER, "data.interface", ...),
    (ORDER, "time", "2026-11-23T10:00:00"),
    (ORDER, "time", "9999-12-31T23:59:59-05:00"),
    (ORDER, "time", "0001-01-01T00:00:00+05:00"),
    (ORDER, "time", ...),
    (ORDER, "id", ""),
    (ORDER, "id", 7),
    (ORDER, "source", ...),
    (ORDER, "specversion", "0.3"),
    (ORDER, "data", "text"),
    (ORDER, "data", None),
    ("order-changed.v1/full", "data.status", "sent"),
    ("order-changed.v1/full", "data.shipments.0.id", ""),
    ("order-changed.v1/full", "data.shipments.0.lines.0.quantity", 0),
    ("order-changed.v1/full", "data.shipments.0.shipped_at", "2026-11-24"),
    ("stock-changed.v1/full", "data.quantity", 1.5),
    ("stock-changed.v1/full", "data.quantity", 12.0),
    ("stock-changed.v1/full", "data.quantity", "12"),
    ("stock-changed.v1/full", "data.quantity", 10**400),
    ("stock-changed.v1/full", "data.sku", ...),
    ("stock-changed.v1/full", "data.kind", "bundle"),
]


@pytest.mark.parametrize(("name", "path", "value"), BAD, ids=[f"{path}={str(value)[:20]}" for _, path, value in BAD])
def test_a_malformed_value_is_refused_and_named(name: str, path: str, value: Any) -> None:
    assert refused(changed(sample(name), path, value)) == {path}


def test_every_problem_is_named_at_once() -> None:
    event = changed(changed(sample(ORDER), "data.order.currency", "eur"), LINE + "quantity", -1)
    assert refused(event) == {"data.order.currency", LINE + "quantity"}


@pytest.mark.parametrize(
    "path",
    [
        "customer",
        "billing_address",
        "shipping_address",
        "payment",
        "shipping",
        "lines.0.tax_rate",
        "billing_address.street",
    ],
)
def test_absent_business_data_is_accepted_and_fails_later_by_name(path: str) -> None:
    for value in (None, ...):
        assert refused(changed(sample(ORDER), f"data.order.{path}", value)) == set()


def test_a_negative_stock_is_accepted() -> None:
    assert refused(changed(sample("stock-changed.v1/full"), "data.quantity", -5)) == set()


def test_nothing_of_a_buyer_stays_behind_when_an_event_has_been_read() -> None:
    """The parser can keep texts, to hand the same one out again: then both events would have the same object."""
    event = sample("order-imported.v1/minimal")
    event["data"]["order"]["customer"] = {"last_name": "Buyerson", "email": "buyerson@example.org"}
    first, second = (decode(event).data.order.customer for _ in range(2))
    assert first == second
    assert first.last_name is not second.last_name
    assert first.email is not second.email
