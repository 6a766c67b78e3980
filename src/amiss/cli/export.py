"""`amiss export`: a model as one ONNX file; with `--check` it verifies such a file, and imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from amiss.cli.console import counted, described, note, reporting, result, share, skipped_lines
from amiss.data.images import Layout
from amiss.export.check import Checked, Scored, check, score
from amiss.export.facts import Facts
from amiss.plain import InputError

CHECK_HELP = """usage: amiss export --check FILE.onnx [IMAGES] [-q]

Verifies a file that amiss exported: scores that stand in it come out again here, in batches of 1, 5 and 33.
Then scores IMAGES, one image, a folder with its subfolders, or a table with image_path, and sums up.
Needs NumPy, Pillow and ONNX Runtime, and neither torch nor the model.

  -q, --quiet  show no progress"""


def main(arguments: Sequence[str]) -> int:
    """Export a model, or check an exported file."""
    if "--check" in arguments:
        return _check([word for word in arguments if word != "--check"])
    from amiss.cli.exporting import main as export  # imports torch

    return export(arguments)


def _check(words: Sequence[str]) -> int:
    if "-h" in words or "--help" in words:
        result(CHECK_HELP)
        return 0
    quiet = "-q" in words or "--quiet" in words
    places = [word for word in words if word not in ("-q", "--quiet")]
    unknown = [word for word in places if word.startswith("-")]
    if unknown:
        raise InputError(f"unknown option {unknown[0]}: --check takes -q alone; see amiss export --check --help")
    if not places:
        raise InputError("FILE.onnx is missing: amiss export --check FILE.onnx [IMAGES]")
    if len(places) > 2:
        raise InputError(f"{places[2]!r} is one word too many: amiss export --check FILE.onnx [IMAGES]")
    path = Path(places[0])
    session, found = check(path)
    lines = _file_lines(path, found)
    if len(places) == 2:
        with reporting(quiet=quiet) as reporter:
            scored = score(session, found.facts, Path(places[1]), reporter)
        note(*skipped_lines(scored.skipped))
        lines += _score_lines(places[1], scored, found.facts)
    result(*lines)
    return 0


def _file_lines(path: Path, found: Checked) -> list[str]:
    facts = found.facts
    parity = facts.parity
    return [
        f"{path}: {facts.name}, {described(Layout(facts.spec, facts.depth))}",
        f"exported {facts.created.get('export', '')} by amiss {facts.versions['export'].get('amiss', '')} from a model "
        f"fitted {facts.created.get('fit', '') or 'at an unknown time'}",
        *parity_lines(parity),
        f"here, onnxruntime {found.runtime}: {counted(len(facts.drawn), 'score')} in the file came out again; largest "
        f"difference {found.drawn:.1e} of the spread",
    ]


def parity_lines(parity: object) -> list[str]:
    """Say what a comparison found, from its record."""
    assert isinstance(parity, dict)
    return [
        f"compared when it was written: {parity['images']} {parity['what']}; largest difference "
        f"{float(parity['largest']):.1e} of the spread",
    ]


def _score_lines(images: str, scored: Scored, facts: Facts) -> list[str]:
    n, scores = len(scored.names), scored.pred_score
    low, middle, high = (float(f(scores)) for f in (np.min, np.median, np.max))
    lines = [f"{images}: {counted(n, 'image')}, scores from {low:.6g} to {high:.6g}, median {middle:.6g}"]
    if scored.p_value is not None:
        lines.append(f"p-values from {scored.p_value.min():.3g} to {scored.p_value.max():.3g}")
    if scored.pred_label is not None:
        lines.append(f"threshold {facts.threshold:.6g}: {share(int(scored.pred_label.sum()), n, 'image')} above it")
    near = np.flatnonzero(scored.near)
    if scored.pred_label is not None:
        named = f": {', '.join(scored.names[i] for i in near[:5])}" if len(near) else ""
        lines.append(f"{counted(len(near), 'image')} within the tolerance of the threshold{named}")
    return lines
