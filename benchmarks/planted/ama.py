"""Faults in AMA: its critic, its penalty, its latents, its scores."""

from __future__ import annotations

from planted import Mutant

AMA, TEST_AMA = "methods/ama.py", "tests/methods/test_ama.py"
WASSERSTEIN, TEST_WASSERSTEIN = "objectives/wasserstein.py", "tests/objectives/test_wasserstein.py"
LATENTS, TEST_LATENTS = "adversaries/latents.py", "tests/adversaries/test_latents.py"

MUTANTS = [
    Mutant(
        "sign of AMA's critic",
        AMA,
        (('losses["penalty"] - self.objective(losses, fixed)', 'losses["penalty"] + self.objective(losses, fixed)'),),
        TEST_AMA,
    ),
    Mutant(
        "sign of AMA's negative pairs",
        AMA,
        (("total = total - hp.lambda_neg", "total = total + hp.lambda_neg"),),
        TEST_AMA,
    ),
    Mutant(
        "penalty over channels instead of the whole image",
        WASSERSTEIN,
        (
            (
                "_slopes(critic, real, fake).flatten(1).norm(dim=1)",
                "_slopes(critic, real, fake).norm(dim=1).mean((1, 2))",
            ),
        ),
        TEST_WASSERSTEIN,
    ),
    Mutant(
        "one random point for a whole batch in the penalty",
        WASSERSTEIN,
        (("share = torch.rand(len(real), *[1]", "share = torch.rand(1, *[1]"),),
        TEST_WASSERSTEIN,
    ),
    Mutant(
        "slope by both images of a pair",
        "objectives/mirrored.py",
        (("lambda v: critic(x, v), x, y", "lambda v: critic(v, v), x, y"),),
        "tests/objectives/test_mirrored.py",
    ),
    Mutant(
        "codes of the simplex cut off from the encoder",
        AMA,
        (("mixed.detach() if self.hp.interpolation.detached else mixed)", "mixed.detach())"),),
        TEST_AMA,
    ),
    Mutant(
        "interpolation weights that do not sum to one",
        LATENTS,
        (("return alpha / alpha.sum(1, keepdim=True).clamp_min(torch.finfo(like.dtype).tiny)", "return alpha"),),
        TEST_LATENTS,
    ),
    Mutant(
        "shell on the other side",
        LATENTS,
        (("radius * (1 + self.delta * depth)", "radius * (1 - self.delta * depth)"),),
        TEST_LATENTS,
    ),
    Mutant(
        "atypical codes decoded with the statistics of their own batch",
        AMA,
        (("with held_statistics(self.encoder, self.generator):", "with held_statistics():"),),
        TEST_AMA,
    ),
    Mutant(
        "density instead of its exponent in the A-score",
        "scores/typicality.py",
        (
            (
                "return ((score - self.moments.mean) / self.moments.std.clamp_min(LEAST)).square()",
                "return -torch.exp(-((score - self.moments.mean) / self.moments.std.clamp_min(LEAST)).square() / 2)",
            ),
        ),
        "tests/scores/test_typicality.py",
    ),
    Mutant(
        "R of training images observed in training mode",
        AMA,
        (("scorer = self.pairs().eval()", "scorer = self.pairs()"),),
        TEST_AMA,
    ),
]
