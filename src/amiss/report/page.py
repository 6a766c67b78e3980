"""What a page shows, as plain values: built by pure functions, turned into HTML by `render`, and by nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["image", "counterpart", "map", "nearest"]


@dataclass(frozen=True)
class Picture:
    """A small picture that travels inside the page."""

    uri: str
    """A data URI."""
    width: int
    height: int


@dataclass(frozen=True)
class Tile:
    """One picture of a card, with what it is."""

    role: Role
    caption: str
    alt: str
    picture: Picture | None = None
    shared: int | None = None
    """In place of a picture: which of the page's shared ones."""


@dataclass(frozen=True)
class Card:
    """One image with all that is known of it."""

    name: str
    """What results call the image, exactly."""
    score: float
    where: str
    """`train`, `calibration`, `held_out`, `test` or `new`."""
    tiles: tuple[Tile, ...]
    p_value: float | None = None
    percentile: float | None = None
    above: bool | None = None
    """Whether the score is above the threshold; None without one."""
    truth: str | None = None
    """What the image is known to be."""
    suspicion: float | None = None
    """In median absolute deviations above the median, by a fit that did not see the image."""


@dataclass(frozen=True)
class Fact:
    """A number that matters, with what it means."""

    term: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Key:
    """A line of a chart's legend: the class of its mark, and what the mark stands for."""

    mark: str
    label: str


@dataclass(frozen=True)
class Chart:
    """A drawing with its title, its legend, and its content in words."""

    title: str
    svg: str
    """Markup that `drawing` has made, safe to put into a page."""
    summary: str
    keys: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Section:
    """Charts and lines under a heading."""

    title: str
    intro: str = ""
    charts: tuple[Chart, ...] = ()
    lines: tuple[str, ...] = ()
    folded: bool = False
    """Whether it is shown only when asked for."""


@dataclass(frozen=True)
class Scale:
    """What the colours of the maps stand for."""

    title: str
    meaning: str
    low: str
    high: str


@dataclass(frozen=True)
class Page:
    """A whole page."""

    title: str
    lead: str
    """One or two sentences: what was done, and what came out."""
    made: str
    """With what, and when."""
    facts: tuple[Fact, ...]
    sections: tuple[Section, ...]
    cards: tuple[Card, ...]
    """The highest score first, or the most suspicious."""
    advice: str = ""
    """What a person should know before reviewing the cards."""
    warnings: tuple[str, ...] = ()
    after: str = ""
    """The command to go on with, once there is a review."""
    notes: tuple[str, ...] = ()
    threshold: float | None = None
    scale: Scale | None = None
    shared: tuple[Picture, ...] = ()
    """Pictures that many cards show."""
    coarse: bool = False
    """Whether the images are so small that their single pixels should be seen."""
