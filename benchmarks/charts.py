"""Bar charts as SVG, readable on light and dark. Called by `summary` for benchmarks/README.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

FOLDER = Path(__file__).with_name("charts")
WIDTH, LEFT, RIGHT, ROW, TOP = 760, 300, 90, 30, 46

_STYLE = """
  text { font: 14px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600 }
  .ours { fill: #0969da }
  .other { fill: #8c959f }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .ours { fill: #4493f8 }
    .other { fill: #6e7681 }
  }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a chart; text stands behind the bar."""

    label: str
    value: float
    text: str
    ours: bool


def draw(title: str, bars: Sequence[Bar]) -> str:
    """The SVG. Bars begin at zero and have one scale."""
    longest = max((bar.value for bar in bars), default=0.0) or 1.0
    height = TOP + ROW * len(bars) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' role="img"><title>{escape(title)}</title>',
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="10" y="26">{escape(title)}</text>',
    ]
    for n, bar in enumerate(bars):
        y, length = TOP + n * ROW, max(1.0, bar.value / longest * (WIDTH - LEFT - RIGHT))
        kind = "ours" if bar.ours else "other"
        parts += [
            f'<text x="{LEFT - 10}" y="{y + 16}" text-anchor="end">{escape(bar.label)}</text>',
            f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{length:.1f}" height="22" rx="2"/>',
            f'<text x="{LEFT + length + 8:.1f}" y="{y + 16}">{escape(bar.text)}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def write(name: str, title: str, bars: Sequence[Bar]) -> str:
    """Draw into the folder of charts; returns the Markdown that shows it."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.svg").write_text(draw(title, bars), encoding="utf-8")
    return f"![{title}](charts/{name}.svg)"
