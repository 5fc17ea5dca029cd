"""Batches of quantities that a marketplace refuses as a whole: the good ones arrive all the same."""

from __future__ import annotations

from typing import Any

import pytest

from shared.connectors.contract import OwnTokens, Reason, RemoteError
from shared.connectors.http import Answer
from shared.connectors.otto.settings import OttoSettings
from shared.connectors.otto.stock import OttoStock
from shared.errors.problem import Problem


class Sulky:
    """Takes a batch only if all of it is good and it is small enough. Says why with the names, or without them."""

    base_url = "http://sulky"
    deadline = 1.0

    def __init__(self, bad: set[str], named: bool, most: int = 200, status: int = 422) -> None:
        self.tokens = OwnTokens()
        self.bad, self.named, self.most, self.status = bad, named, most, status
        self.held: dict[str, int] = {}
        self.calls = 0

    def request_json(self, operation: str, method: str, path: str, **given: Any) -> Answer:
        if operation == "token":
            return Answer(200, {}, {"access_token": "t", "expires_in": 1800})
        self.calls += 1
        items = {each["sku"]: each["quantity"] for each in given["json"]}
        if len(items) > self.most:
            return Answer(413, {}, {"errors": {"title": "too large"}})
        wrong = sorted(self.bad & items.keys())
        if not wrong:
            self.held.update(items)
            return Answer(200, {}, None)
        texts = [f"unknown sku {sku}" for sku in wrong] if self.named else ["something is wrong"]
        return Answer(self.status, {}, {"errors": [{"code": 404, "detail": text} for text in texts]})


def sent(http: Sulky, skus: list[str]) -> dict[str, Problem | None]:
    settings = OttoSettings.model_validate({"client_id": "c", "client_secret": "s"})
    sink: Any = OttoStock(settings, http)  # type: ignore[arg-type]
    told: dict[str, Problem | None] = sink.send_quantities({sku: place for place, sku in enumerate(skus)})
    return told


SKUS = [f"S-{number}" for number in range(200)]


@pytest.mark.parametrize("status", [404, 422])
@pytest.mark.parametrize(("named", "calls"), [(True, 2), (False, 30)])
@pytest.mark.parametrize("bad", [{"S-0"}, {"S-7", "S-77"}, {"S-199"}])
def test_one_bad_sku_spoils_nothing_for_the_others(bad: set[str], named: bool, calls: int, status: int) -> None:
    http = Sulky(bad, named, status=status)
    told = sent(http, SKUS)
    assert {sku for sku, problem in told.items() if problem} == bad
    assert told.keys() == set(SKUS)
    assert http.held == {sku: place for place, sku in enumerate(SKUS) if sku not in bad}
    assert http.calls <= calls


def test_a_smaller_limit_than_ours_is_found() -> None:
    http = Sulky(set(), True, most=60)
    assert sent(http, SKUS) == dict.fromkeys(SKUS)
    assert http.held.keys() == set(SKUS)
    with pytest.raises(RemoteError) as caught:
        sent(Sulky(set(), True, most=0), ["S-1"])
    assert caught.value.reason is Reason.TOO_LARGE


def test_all_bad_ends_too() -> None:
    http = Sulky(set(SKUS), named=False)
    assert all(sent(http, SKUS).values())
    assert http.calls < 2 * len(SKUS)
