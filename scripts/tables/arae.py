"""How far ARAE's published start gets in the epochs that were run: `results/arae_plateau.jsonl`."""

from __future__ import annotations

from tables.results import provenance, rows

NAME = "arae_plateau"


def arae_plateau() -> str:
    """Spread of the latent code and AUROC by epoch."""
    found = rows(NAME)
    lines = ["| epoch | spread of the latent code | AUROC |", "| --- | --- | --- |"]
    lines += [
        f"| {row['epoch']} | {float(str(row['latent_spread'])):.5f} | {float(str(row['image_AUROC'])):.3f} |"
        for row in found
    ]
    if not found:
        return "\n".join([*lines, "", "No results are committed yet."])
    text = (
        f"MNIST 8, the settings of `arae_published` but {found[-1]['steps']} steps of the attack instead of 40, seed "
        f"0; a run of 1,600 epochs takes hours and was stopped here. The spread is the root mean square distance from "
        f"the mean code over 1,000 training images. {provenance(found, NAME)}"
    )
    return "\n".join([*lines, "", text])


def arae_ratios() -> str:
    """Ratios of the attack and of the training step."""
    found = rows("arae_ratios")
    if not found:
        return "No results are committed yet."
    lines = ["| ratio of medians | measured | goal |", "| --- | --- | --- |"]
    measured = [row["ratios"] for row in found]
    first = measured[0]
    assert isinstance(first, list)
    for i, goal in enumerate(first):
        values = ", ".join(f"{float(str(ratios[i]['ratio'])):.2f}" for ratios in measured if isinstance(ratios, list))
        lines.append(f"| {goal['what']} | {values} | {goal['goal']} |")
    return "\n".join(
        [*lines, "", f"{len(found)} runs, file: `results/arae_ratios.jsonl`, by `benchmarks/arae_ratios.py`."]
    )


TABLES = {
    "arae_ratios": (arae_ratios, ["docs/methods/arae.md"]),
    NAME: (arae_plateau, ["docs/methods/arae.md"]),
}
