"""Asks for an interface on the terminal, system by system, out of what the connectors say of their settings.

Every answer is checked at once; secrets are typed without echo. Leaves: the same document as a TOML file would hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import typer

from services.cli.printing import Printer
from shared.connectors.contract import Connector, MappingNeed
from shared.connectors.facts import Fact, facts, unfit, wrong
from shared.runtime.gaps import POOL, SETTINGS

Ask = Callable[[str, bool], str]
"""A label, and whether the answer is a secret → the answer without blanks around it; empty where nothing was typed."""

Say = Callable[[str], str]
"""An address → why it would not be called; empty where it would."""

SIDES = {"marketplace": "The marketplace or shop that orders come from", "erp": "The ERP that orders go to"}
ROLES = {"marketplace": "source", "erp": "sink"}


def on_terminal(label: str, secret: bool) -> str:
    """Ask on the terminal. Raises typer.Abort at Ctrl-C and Ctrl-D."""
    # A default lets an empty answer through, and it is not shown: the label says what stands for it.
    return str(typer.prompt(label, default="", show_default=False, hide_input=secret)).strip()


def guided(
    slug: str, connectors: Mapping[str, Connector], ask: Ask, printer: Printer, say: Say = lambda _: ""
) -> dict[str, Any]:
    """The whole document. Nothing is stored."""
    printer.line(f"The interface {slug}. Enter takes what stands in brackets; Ctrl-C stops, and nothing is stored.")
    document: dict[str, Any] = {"title": ask(f"title for people [{slug}]", False) or slug}
    needs: list[MappingNeed] = []
    for side, heading in SIDES.items():
        printer.line(("\n" + heading, "head"))
        connector = _chosen(side, connectors, ask, printer)
        document[side] = _side(connector, ask, printer)
        if "base_url" in document[side] and (remark := say(document[side]["base_url"])):
            printer.line((remark, "remark"))
        needs += [need for need in connector.mappings if need.kind not in (POOL, SETTINGS)]
        needs = [need for need in needs if not (need.unless and document[side].get(need.unless))]
    document["mappings"] = _mappings(needs, ask, printer)
    return document


def _chosen(side: str, connectors: Mapping[str, Connector], ask: Ask, printer: Printer) -> Connector:
    able = {key: one for key, one in connectors.items() if getattr(one, ROLES[side]) is not None}
    for key, one in able.items():
        printer.line(f"  {key}", (f"  {one.title}", "faint"))
    only = next(iter(able)) if len(able) == 1 else ""
    while True:
        key = ask("which" + (f" [{only}]" if only else ""), False) or only
        if key in able:
            return able[key]
        printer.line((f"One of {', '.join(able)}, please.", "wrong"))


def _side(connector: Connector, ask: Ask, printer: Printer) -> dict[str, Any]:
    known = facts(connector.settings)
    table: dict[str, Any] = {"connector": connector.key}
    # Secrets come first although some may be left out: a system may want one of several.
    first = [fact for fact in known if fact.required or fact.secret or fact.name == "base_url"]
    rest = [fact for fact in known if fact not in first]
    for fact in first:
        _answer(connector, fact, table, ask, printer)
    names = ", ".join(fact.name for fact in rest)
    if rest and _yes(ask(f"go through {len(rest)} more settings ({names})? [no]", False)):
        for fact in rest:
            _answer(connector, fact, table, ask, printer)
    while problem := unfit(connector.settings, {name: value for name, value in table.items() if name != "connector"}):
        printer.line((f"{connector.title}: {problem}. Once more, all of them:", "wrong"))
        table = {"connector": connector.key}
        for fact in known:
            _answer(connector, fact, table, ask, printer)
    while True:
        rate = ask(f"calls a second that {connector.title} allows [{connector.rate_limit:g}]", False)
        try:
            if not rate or 0 < float(rate.replace(",", ".")) < 1e6:
                break
        except ValueError:
            pass
        printer.line(("A number above 0, please.", "wrong"))
    if rate:
        table["calls_per_second"] = float(rate.replace(",", "."))
    return table


def _answer(connector: Connector, fact: Fact, table: dict[str, Any], ask: Ask, printer: Printer) -> None:
    """Ask until it fits; what is left at its default is left out, so that a later default takes effect."""
    if fact.about:
        printer.line(("  " + fact.about, "faint"))
    label = fact.name + (f" [{fact.default}]" if fact.default else "" if fact.required else " [none]")
    while True:
        said = ask(label + (" (not shown)" if fact.secret else ""), fact.secret)
        if not said and not fact.required:
            return
        problem = wrong(connector.settings, fact.name, said) if said else "it is needed"
        if not problem:
            table[fact.name] = said
            return
        printer.line((f"{fact.name}: {problem}.", "wrong"))


def _mappings(needs: list[MappingNeed], ask: Ask, printer: Printer) -> dict[str, dict[str, str]]:
    """What the ERP needs to know; everything may be left for later, and orders that miss it wait."""
    found: dict[str, dict[str, str]] = {}
    if not needs:
        return found
    printer.line(("\nWhat the systems call the same thing", "head"))
    printer.line("Enter leaves it for later: `connect interfaces show` names what is missing, and orders wait for it.")
    for need in needs:
        printer.line(("  " + need.about, "faint"))
        if need.source:
            if target := ask(f"{need.kind} {need.source} [later]", False):
                found.setdefault(need.kind, {})[need.source] = target
            continue
        while source := ask(f"{need.kind}: the marketplace's word [no more]", False):
            if target := ask(f"{need.kind} {source} is in the ERP", False):
                found.setdefault(need.kind, {})[source] = target
    return found


def _yes(text: str) -> bool:
    return text.lower() in ("y", "yes", "j", "ja")
