"""`amiss card`: one page that says what a model is for, how it was made, what was measured, and what it cannot do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from amiss.cli.console import note, reporting, result
from amiss.cli.options import parse
from amiss.cli.outputs import require_writable
from amiss.cli.values import attack_radii
from amiss.data.store import OnBad
from amiss.detector import Detector
from amiss.report.card.asked import Asked
from amiss.report.card.content import ModelCard
from amiss.report.card.make import model_card
from amiss.report.card.write import require_card, write_card


@dataclass(frozen=True)
class CardOptions:
    """Write a model's card: what it is for, how it was made, what was measured, and what it cannot do."""

    model: Annotated[Path, Positional, arg(metavar="MODEL")]
    """Model file, made by amiss fit."""
    out: Annotated[Path, arg(aliases=["-o"], metavar="CARD")]
    """Card to write: .html, a page, or .md, Markdown."""
    normal: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Normal images that the model was not fitted on, to count false alarms: a folder, one image, or a table."""
    anomalous: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Anomalous images, likewise, to measure how well they are found."""
    compare: bool = False
    """Fit kNN and PCA on the same training images, and measure them on the same labelled images."""
    attack: Annotated[str | None, arg(metavar="EPS,EPS", help_behavior_hint="")] = None
    """Measure again with the normal images changed by at most EPS (white is 1) so that they score higher."""
    corruptions: bool = False
    """Score normal images (those of --normal, else the calibration images) under eight conditions at five levels."""
    drift: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Recent images that should be normal: whether they are like the calibration images."""
    train: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """The training images, where they are not where the model remembers them."""
    on_bad: OnBad = "stop"
    """What to do with a file that cannot be read: stop and name it, or skip it."""
    overwrite: bool = False
    """Replace an existing card."""
    device: Annotated[str, arg(metavar="NAME")] = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    quiet: Annotated[bool, arg(aliases=["-q"])] = False
    """Show no progress."""


def main(arguments: Sequence[str]) -> int:
    """Write a model card."""
    options = parse(CardOptions, arguments, "card")
    asked = Asked(
        normal=options.normal,
        anomalous=options.anomalous,
        compare=options.compare,
        attack=attack_radii(options.attack),
        corruptions=options.corruptions,
        drift=options.drift,
        train=options.train,
        on_bad=options.on_bad,
    )
    require_card(options.out)
    require_writable(options.out, overwrite=options.overwrite)
    detector = Detector.load(options.model, device=options.device)
    detector.runtime.resolve()  # names a device that is not there before any image is read
    with reporting(quiet=options.quiet) as reporter:
        card = model_card(detector, options.model.name, asked, progress=reporter)
        write_card(card, options.out)
    result(*_summary(card))
    note(f"card: {options.out}")
    return 0


def _summary(card: ModelCard) -> list[str]:
    """The facts on top, the limits, and what was left out."""
    facts = [f"{fact.term}: {fact.value}{f' ({fact.note})' if fact.note else ''}" for fact in card.facts]
    limits = [line for part in card.parts if part.title == "Limits" for line in part.lines]
    left = [part.title for part in card.parts if part.left_out]
    return [
        *facts,
        "limits:",
        *(f"  {line}" for line in limits),
        *([f"left out: {', '.join(left)} (the card says what each needs)"] if left else []),
    ]
