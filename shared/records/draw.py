"""Draws `docs/states.md` from the transition table, so that picture and code cannot differ. Pure."""

from __future__ import annotations

from shared.records.states import FINAL, TRANSITIONS, WORST_FIRST, State, Verb

MEANING: dict[State, str] = {
    State.NEVER: "known, nothing sent yet",
    State.PENDING: "waits for its turn; says since when and why",
    State.RUNNING: "claimed by a worker, under a lease",
    State.WAITING: "heals by itself: the next attempt is due, the ERP is back, its order arrived",
    State.DONE: "verified outcome, with the remote number",
    State.WARNING: "done, but somebody should know",
    State.FAILED: "needs a person; says what to do; goes on by itself when its key comes true",
    State.SKIPPED: "left out for a reason: duplicate, superseded, cancelled before import; never red",
}

WHAT: dict[Verb, str] = {
    Verb.RECEIVE: "an event makes the record",
    Verb.CHANGE: "a newer event replaces the staged copy",
    Verb.CLAIM: "a worker takes it, or takes it over after a lost lease",
    Verb.SETTLE: "the worker that holds it says how it went",
    Verb.RELEASE: "the worker that holds it stops before it began",
    Verb.LOSE: "five leases were lost",
    Verb.GIVE_UP: "it was tried for five days, and the remote system is still away",
    Verb.RAISE: "a key that blocked it came true",
    Verb.RETRY: "a person wants another try",
    Verb.BY_HAND: "a person did it in the remote system, and says under which number",
    Verb.IGNORE: "a person wants it left alone, and says why",
    Verb.UNIGNORE: "and takes that back: it is what it was before",
    Verb.EDIT: "a person corrects the staged copy",
    Verb.VERIFY: "a call was made by a worker that no longer held it: read back",
}

HEAD = """# States

Drawn from `shared/records/states.py` by `python -m services.cli.generated`; a test fails when they differ.
Every change of state is one conditional update that names the states it may start from and writes its history row in
the same statement. A row that somebody else has moved meanwhile is simply not hit.
"""


def markdown() -> str:
    """The whole document."""
    worst = " · ".join(f"`{state}`" for state in WORST_FIRST)
    return "\n".join(
        [
            HEAD,
            "```mermaid",
            "stateDiagram-v2",
            *_arrows(),
            "```",
            "",
            "| state | meaning | owed work |",
            "|---|---|---|",
            *(f"| `{state}` | {MEANING[state]} | {'no' if state in FINAL else 'yes'} |" for state in State),
            "",
            "| verb | what happens | from | to |",
            "|---|---|---|---|",
            *(_row(verb) for verb in Verb),
            "",
            f"What a list shows of several states is the worst of them: {worst}.",
            "",
        ]
    )


def _arrows() -> list[str]:
    """One arrow per pair of states, labelled with its verbs."""
    verbs: dict[tuple[str, str], list[str]] = {}
    for verb, rule in TRANSITIONS.items():
        for source in (None, *State):
            if source in rule.sources:
                for target in (state for state in State if state in rule.targets):
                    verbs.setdefault((str(source or "[*]"), str(target)), []).append(str(verb))
    return [f"    {source} --> {target}: {', '.join(names)}" for (source, target), names in verbs.items()]


def _row(verb: Verb) -> str:
    rule = TRANSITIONS[verb]
    sources = ["nothing"] if None in rule.sources else []
    sources += [f"`{state}`" for state in State if state in rule.sources]
    targets = [f"`{state}`" for state in State if state in rule.targets]
    return f"| `{verb}` | {WHAT[verb]} | {', '.join(sources)} | {', '.join(targets)} |"
