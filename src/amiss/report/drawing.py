"""Small SVG: axes and marks as strings, with every text escaped; colours and line styles are the style sheet's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from math import ceil, floor, isfinite, log10
from sys import float_info

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Axis:
    """A range of values and what it is called; `share` writes ticks as percentages."""

    low: float
    high: float
    label: str
    share: bool = False

    def ticks(self, most: int = 5) -> list[float]:
        """Round values within the range, at most so many and one more."""
        raw = (self.high - self.low) / most
        if not isfinite(raw) or raw < float_info.min:
            return [self.low]
        power = 10.0 ** floor(log10(raw))
        step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * (1 - 1e-9))
        first = ceil(self.low / step - 1e-9)
        last = floor(self.high / step + 1e-9)
        return [step * i for i in range(first, last + 1)]

    def text(self, value: float) -> str:
        """A tick's text."""
        return f"{100 * value:.3g}\N{NO-BREAK SPACE}%" if self.share else f"{value + 0.0:.4g}"


@dataclass(eq=False)
class Drawing:
    """A plot with two axes, into which marks are drawn from back to front."""

    width: int
    height: int
    x: Axis
    y: Axis
    left: int = 56
    bottom: int = 40
    top: int = 12
    right: int = 20
    marks: list[str] = field(default_factory=list)

    def px(self, value: float) -> float:
        """Where a value lies from the left."""
        return self.left + self._share(self.x, value) * (self.width - self.left - self.right)

    def py(self, value: float) -> float:
        """Where a value lies from the top."""
        return self.height - self.bottom - self._share(self.y, value) * (self.height - self.bottom - self.top)

    @staticmethod
    def _share(axis: Axis, value: float) -> float:
        span = axis.high - axis.low
        return min(1.0, max(0.0, (value - axis.low) / span)) if span > 0 else 0.5

    def line(
        self, xs: Sequence[float] | NDArray[np.float64], ys: Sequence[float] | NDArray[np.float64], kind: str
    ) -> None:
        """A line through points."""
        points = " ".join(f"{self.px(float(x)):.1f},{self.py(float(y)):.1f}" for x, y in zip(xs, ys, strict=True))
        self.marks.append(f'<polyline class="{kind}" points="{points}"/>')

    def steps(self, edges: NDArray[np.float64], heights: NDArray[np.float64], kind: str) -> None:
        """The outline of a histogram, closed at the base line."""
        base = self.py(self.y.low)
        path = [f"M{self.px(float(edges[0])):.1f} {base:.1f}"]
        for i, height in enumerate(heights):
            path.append(f"V{self.py(float(height)):.1f}H{self.px(float(edges[i + 1])):.1f}")
        self.marks.append(f'<path class="{kind}" d="{"".join(path)}V{base:.1f}Z"/>')

    def upright(self, value: float, kind: str, label: str = "") -> None:
        """An upright line over the whole height, with a label on the side that has room."""
        at = self.px(value)
        self.marks.append(f'<path class="{kind}" d="M{at:.1f} {self.top}V{self.height - self.bottom}"/>')
        if label:
            late = at > self.left + 0.6 * (self.width - self.left - self.right)
            anchor, shift = ("end", -6) if late else ("start", 6)
            self.text(at + shift, self.top + 11, label, anchor, "mark")

    def dot(self, x: float, y: float, kind: str) -> None:
        """A dot."""
        self.marks.append(f'<circle class="{kind}" cx="{self.px(x):.1f}" cy="{self.py(y):.1f}" r="4"/>')

    def text(self, x: float, y: float, words: str, anchor: str = "start", kind: str = "tick") -> None:
        """Text at a point of the drawing."""
        self.marks.append(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>')

    def render(self, summary: str) -> str:
        """The whole drawing; `summary` is what those hear who cannot see it."""
        axes = Drawing(self.width, self.height, self.x, self.y, self.left, self.bottom, self.top, self.right)
        ground = self.height - self.bottom
        for value in self.y.ticks(4):
            at = axes.py(value)
            axes.marks.append(f'<path class="grid" d="M{self.left} {at:.1f}H{self.width - self.right}"/>')
            axes.text(self.left - 7, at + 3.5, self.y.text(value), "end")
        for value in self.x.ticks(5 if self.width < 400 else 8):
            at = axes.px(value)
            axes.marks.append(f'<path class="axis" d="M{at:.1f} {ground}v4"/>')
            axes.text(at, ground + 16, self.x.text(value), "middle")
        axes.marks.append(f'<path class="axis" d="M{self.left} {ground}H{self.width - self.right}"/>')
        axes.text((self.left + self.width - self.right) / 2, self.height - 6, self.x.label, "middle", "label")
        kind = "chart wide" if self.width > 400 else "chart"
        inside = "".join(axes.marks + self.marks)
        return (
            f'<svg class="{kind}" viewBox="0 0 {self.width} {self.height}" role="img" '
            f'aria-label="{escape(summary)}">{inside}</svg>'
        )
