"""A small line of counts as the points of an SVG: made on the server, its numbers stand beside it as text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, EDGE = 128, 30, 3


@dataclass(frozen=True, slots=True)
class Spark:
    """line, area: points of a polyline and of the polygon under it; x, y: of the last count; counts: what is drawn."""

    line: str
    area: str
    x: float
    y: float
    counts: Sequence[int]


def spark(counts: Sequence[int]) -> Spark:
    """Counts from left to right, at least two. The highest reaches the top; nothing lies on the ground line."""
    top = max(*counts, 1)
    step = (WIDTH - 2 * EDGE) / (len(counts) - 1)
    points = [
        (round(EDGE + n * step, 1), round(HEIGHT - EDGE - count / top * (HEIGHT - 2 * EDGE), 1))
        for n, count in enumerate(counts)
    ]
    line = " ".join(f"{x},{y}" for x, y in points)
    ground = HEIGHT - 1
    return Spark(line, f"{points[0][0]},{ground} {line} {points[-1][0]},{ground}", *points[-1], counts)
