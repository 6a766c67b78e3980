"""The commands of docs/guide.md with what they printed, and the sentences with figures: `results/guide.json`."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, partial

from tables.results import ROOT

PAGES = ["docs/guide.md"]
COMMANDS = ("fit", "refit", "score", "before", "after", "looser")
KEPT = ("AUROC", "threshold", "false alarms", "detected")
"""Lines of a measurement that the page shows of the first model; all are shown of the second."""


@cache
def record() -> dict[str, dict[str, object]]:
    """What the script kept."""
    return json.loads((ROOT / "results" / "guide.json").read_text())


def block(name: str) -> str:
    """A command and its output, as in a terminal."""
    command = record()["commands"][name]
    assert isinstance(command, dict)
    lines = str(command["output"]).splitlines()
    if name == "before":
        lines = [line for line in lines if line.startswith(KEPT)]
    return "\n".join(["```", f"$ {command['command']}", *lines, "```"])


def review() -> str:
    """What the review found."""
    facts = record()["facts"]
    return (
        f"Of the first {facts['looked']} of {facts['training']} cards, {facts['found']} show a tumour; "
        f"{facts['planted']} were put there."
    )


def decided() -> str:
    """What the more lenient decision says of scans that we know."""
    facts = record()["facts"]
    return (
        f"It finds {facts['detected']} of the {facts['tumours']} tumours, and raises {facts['alarms']} false alarms on "
        f"{facts['unseen']} healthy scans."
    )


TABLES: dict[str, tuple[Callable[[], str], list[str]]] = {
    **{f"guide_{name}": (partial(block, name), PAGES) for name in COMMANDS},
    "guide_review": (review, PAGES),
    "guide_decided": (decided, PAGES),
}
