"""Parts a batch into rounds that one statement each can store. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from shared.records.hashes import body_hash
from shared.records.lock_order import place
from shared.runtime.prepare import Ready

Round = list[tuple[int, Ready]]
"""Inputs with their places in the batch."""


def rounds_of(ready: Sequence[Ready]) -> list[Round]:
    """Rounds in which each event occurs once, sorted by `lock_order` so that no two intakes lock in a ring.

    A key's events keep their order, in a round and over the rounds. What must go alone goes last.
    """
    rounds: list[Round] = []
    alone: list[Round] = []
    used: list[set[object]] = []
    for number, one in enumerate(ready):
        if one.arrival.alone:
            alone.append([(number, one)])
            continue
        names: set[object] = set()
        if one.incoming is not None:
            names = {one.incoming.hash}
        elif one.refusal is not None:
            names = {body_hash(one.refusal.raw)}
        first = next((n for n in range(len(used), 0, -1) if names & used[n - 1]), 0)
        if first == len(rounds):
            rounds.append([])
            used.append(set())
        rounds[first].append((number, one))
        used[first] |= names
    for group in rounds:
        group.sort(key=lambda item: _place(item[1]))
    return [*rounds, *alone]


def first_of_each_key(group: Round, flows: Collection[str] | None = None) -> Round:
    """The inputs of these flows (of all) that may make a record: of each the first, which its successors find."""
    first: dict[tuple[str, str, str], tuple[int, Ready]] = {}
    for number, one in group:
        if one.incoming is not None and (flows is None or one.incoming.flow in flows):
            first.setdefault((one.incoming.interface, one.incoming.flow, one.incoming.key), (number, one))
    return list(first.values())


def _place(one: Ready) -> tuple[bool, str, str]:
    """Where it stands in its round; refusals, too, keep to one order."""
    if one.incoming is not None:
        return place(one.incoming.flow, one.incoming.interface, one.incoming.key)
    return False, "", str(body_hash(one.arrival.body))
