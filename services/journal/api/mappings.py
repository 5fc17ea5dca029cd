"""Mappings of an interface: what is mapped and what is missing; saving one sets due what waited for it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request

from services.journal.api.bodies import NewMapping
from services.journal.api.modes import known
from services.journal.guard import actor_of, guarded_router, needs
from services.journal.problem_json import ApiProblem
from services.journal.wiring import Journal
from shared.records.harm import harm, of_gap
from shared.records.mappings import (
    MappingError,
    map_word,
    read_mappings,
    targets,
    unfinished_with,
    unmap_word,
)
from shared.records.masked import read_masked
from shared.runtime.gaps import gaps, mapping_kinds

Source = Annotated[str, Path(description="the marketplace's word, percent-encoded; may hold slashes", max_length=500)]


def routes(journal: Journal) -> APIRouter:
    """The calls of this resource."""
    router = guarded_router(journal, "/api/v1/interfaces")

    @router.get("/{slug}/mappings")
    @needs("operator")
    def get_mappings(slug: str) -> dict[str, Any]:
        """What is mapped, what is missing (what most records wait for first, with what it costs), the kinds there are,
        and by kind what interfaces with the same ERP use."""
        with journal.database() as conn:
            known(conn, slug)
            masked = read_masked(conn, slug)
            assert masked is not None
            costs = harm(conn, slug)
            missing = [gap.as_json() for gap in gaps(conn, masked, journal.connectors)]
            return {
                "interface": slug,
                "items": read_mappings(conn, slug),
                "missing": [gap | of_gap(costs, gap).as_json() for gap in missing],
                "kinds": mapping_kinds(journal.connectors.values()),
                "in_use": targets(conn, slug),
            }

    @router.put("/{slug}/mappings/{kind}/{source:path}")
    @needs("operator")
    def put_mapping(request: Request, slug: str, kind: str, source: Source, body: NewMapping) -> dict[str, Any]:
        """Save one. `due` says how many records that waited for it go on. With `was`, only if it is mapped to that now
        (an empty text: not at all), else 409."""
        with journal.database() as conn:
            known(conn, slug)
            try:
                change = map_word(
                    conn,
                    slug,
                    kind,
                    source,
                    body.target,
                    actor_of(request).name,
                    kinds=mapping_kinds(journal.connectors.values()),
                    was=body.was,
                    dry_run=body.dry_run,
                )
            except MappingError as error:
                status = 409 if error.code == "changed-meanwhile" else 422
                raise ApiProblem(status, f"mapping-{error.code}", str(error)) from None
        return {"interface": slug, **asdict(change), "dry_run": body.dry_run}

    @router.delete("/{slug}/mappings/{kind}/{source:path}")
    @needs("operator")
    def delete_mapping(
        request: Request, slug: str, kind: str, source: Source, dry_run: Annotated[bool, Query()] = False
    ) -> dict[str, Any]:
        """Take one away: orders that need it will wait for another. What was created with it stays as it is."""
        with journal.database() as conn:
            known(conn, slug)
            there = {(one["kind"], one["source"]): one["target"] for one in read_mappings(conn, slug)}
            concerned, more = unfinished_with(conn, slug, kind, source)
            gone = dry_run or unmap_word(conn, slug, kind, source, actor_of(request).name) is not None
            if (kind, source) not in there or not gone:
                raise ApiProblem(404, "mapping-unknown", f"{slug} has no mapping of this kind and word.")
        told = {"interface": slug, "kind": kind, "source": source, "target": None, "before": there[kind, source]}
        return {**told, "unfinished": concerned, "capped": more, "dry_run": dry_run}

    return router
