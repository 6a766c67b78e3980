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


TABLES = {NAME: (arae_plateau, ["docs/methods/arae.md"])}
