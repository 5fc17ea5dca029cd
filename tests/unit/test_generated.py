"""Schemas, AsyncAPI document and the picture of the states are what the code says, and hold together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from services.cli import generated
from services.cli.asyncapi import document
from shared.events.envelope import CONTRACTS
from shared.events.schemas import schema
from shared.records.draw import MEANING, WHAT, markdown
from shared.records.states import TRANSITIONS, State, Verb

ROOT = Path(__file__).parents[2]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolve(whole: dict[str, Any], reference: str) -> Any:
    found: Any = whole
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_nothing_is_stale() -> None:
    assert generated.stale(ROOT) == [], "run: python -m services.cli.generated"


def test_a_changed_a_missing_and_a_left_over_file_are_noticed_and_mended(tmp_path: Path) -> None:
    assert set(generated.write(tmp_path)) == set(generated.contents())
    assert generated.stale(tmp_path) == []
    (tmp_path / "docs/states.md").write_text("old", encoding="utf-8")
    (tmp_path / "docs/asyncapi.json").unlink()
    (tmp_path / "docs/schemas/gone.v1.json").write_text("{}", encoding="utf-8")
    wrong = ["docs/asyncapi.json", "docs/schemas/gone.v1.json", "docs/states.md"]
    assert generated.stale(tmp_path) == wrong
    assert generated.write(tmp_path) == wrong
    assert generated.stale(tmp_path) == []


@pytest.mark.parametrize("event_type", CONTRACTS)
def test_a_published_schema_is_a_schema_and_names_its_event(event_type: str) -> None:
    made = schema(event_type)
    jsonschema.Draft202012Validator.check_schema(made)
    assert made["properties"]["type"]["const"] == event_type
    assert {"specversion", "id", "source", "type", "time", "data"} <= set(made["required"])


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    made = document()
    found = list(references(made))
    assert found
    for reference in found:
        assert resolve(made, reference)


def test_the_asyncapi_document_has_the_form_of_version_3() -> None:
    made = document()
    assert made["asyncapi"].startswith("3.")
    assert {"title", "version"} <= made["info"].keys()
    for operation in made["operations"].values():
        assert operation["action"] == "receive"
        channel = resolve(made, operation["channel"]["$ref"])
        for message in operation["messages"]:
            assert message["$ref"].startswith(operation["channel"]["$ref"] + "/messages/")
            assert resolve(made, message["$ref"]) in channel["messages"].values()
    for name, channel in made["channels"].items():
        asked = {part[1:-1] for part in channel["address"].split(".") if part.startswith("{")}
        assert asked == channel.get("parameters", {}).keys(), name


def test_every_event_can_be_sent_to_the_exchange_and_to_its_queue() -> None:
    channels = document()["channels"]
    for event_type in CONTRACTS:
        slug = event_type.removesuffix(".v1")
        assert channels[event_type]["address"] == f"{event_type}.{{interface}}"
        assert channels[event_type]["bindings"]["amqp"]["is"] == "routingKey"
        assert channels[slug]["bindings"]["amqp"]["queue"]["name"] == slug


def test_the_schema_in_the_document_judges_like_the_published_one() -> None:
    made = document()
    for event_type in CONTRACTS:
        embedded = {**made, "$ref": f"#/components/schemas/{event_type}"}
        for path in sorted((ROOT / "shared/events/samples" / event_type).glob("*.json")):
            event = json.loads(path.read_text(encoding="utf-8"))
            jsonschema.Draft202012Validator(embedded).validate(event)
            assert not jsonschema.Draft202012Validator(embedded).is_valid({**event, "data": {}})


def test_the_picture_shows_every_state_verb_and_way() -> None:
    drawn = markdown()
    assert set(MEANING) == set(State)
    assert set(WHAT) == set(Verb)
    for verb, rule in TRANSITIONS.items():
        for source in rule.sources:
            for target in rule.targets:
                arrow = f"    {source or '[*]'} --> {target}: "
                (line,) = [line for line in drawn.splitlines() if line.startswith(arrow)]
                assert verb in line.removeprefix(arrow).split(", ")
