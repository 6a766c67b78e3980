"""How training starts: the two starts of GradCon, and how soon a dead one shows."""

from __future__ import annotations

from amiss.engine.health import ALIVE, ONE_PICTURE
from tables.results import provenance, rows, seeds_of, spread, value


def gradcon_start() -> str:
    """The two starts of GradCon on the demo's images."""
    every = rows("gradcon_start")
    starts = {"grey": "at mid-grey, as the paper's code", "centred": "at the brightness of the data"}
    lines = ["| images begin | GradCon | reconstruction alone | gradients alone |", "| --- | --- | --- | --- |"]
    for start, label in starts.items():
        found = [row for row in every if row["start"] == start]
        cells = [spread([value(row, term) for row in found]) for term in ("score", "recon", "grad")]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    told = f"AUROC on the T-shirts of `amiss demo`, 40 epochs, mean and range over seeds {seeds_of(every)}."
    return "\n".join([*lines, "", f"{told} {provenance(every, 'gradcon_start')}"])


def dead_starts() -> str:
    """How far restored images spread in the first steps: networks that the check calls dead, and the others."""
    every = rows("dead_starts")
    if not every:
        return "No results are committed yet."
    shares = [{str(step): float(str(share)) for step, share in dict(row["spread"]).items()} for row in every]  # type: ignore[call-overload]
    dead = [share[str(ALIVE)] <= ONE_PICTURE for share in shares]
    steps = sorted(shares[0], key=int)
    heads = ["networks", "number", *(f"step {step}" for step in steps)]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for label, wanted in ((f"one picture at step {ALIVE}", True), ("the others", False)):
        found = [share for share, is_dead in zip(shares, dead, strict=True) if is_dead == wanted]
        cells = [f"{min(s[n] for s in found):.3f} to {max(s[n] for s in found):.3f}" if found else "" for n in steps]
        lines.append(f"| {label} | {len(found)} | {' | '.join(cells)} |")
    names = [
        f"`{row['method']}` on {row['dataset']} {row['class']}" for row, gone in zip(every, dead, strict=True) if gone
    ]
    told = (
        f"Spread of restored training images as a share of the images' own, after so many steps of 64 images: "
        f"{len(every)} networks from mid-grey, one of each method and class at seed 0. "
        f"One picture: {', '.join(names) or 'none'}."
    )
    return "\n".join([*lines, "", f"{told} {provenance(every, 'dead_starts')}"])


TABLES = {
    "gradcon_start": (gradcon_start, ["docs/methods/gradcon.md"]),
    "dead_starts": (dead_starts, ["docs/adr/0011-a-start-at-the-brightness-of-the-data.md"]),
}
