"""Faults in methods made of methods, and in the hybrid of GradCon and ARAE."""

from __future__ import annotations

from planted import Mutant

NESTED, TEST_NESTED = "engine/nested.py", "tests/engine/test_nested.py"
TAILS, TEST_TAILS = "objectives/tails.py", "tests/objectives/test_tails.py"
COUNCIL, TEST_COUNCIL = "scores/council.py", "tests/scores/test_council_score.py"
AVERAGED, TEST_AVERAGED = "methods/averaged.py", "tests/methods/test_averaged.py"
HYBRID, TEST_HYBRID = "methods/gradcon_arae.py", "tests/methods/test_gradcon_arae.py"

MUTANTS = [
    Mutant(
        "members selected by the first one's criterion",
        NESTED,
        (("self.each[self.running]", "self.each[0]"),),
        TEST_NESTED,
    ),
    Mutant(
        "members never told the time",
        NESTED,
        (("learner.clock, learner.elapsed = outer.clock, outer.elapsed", "pass"),),
        TEST_NESTED,
    ),
    Mutant(
        "criterion asked of a member without held-out images",
        NESTED,
        (("if learner is not None and learner.held_out else", "if learner is not None else"),),
        TEST_NESTED,
    ),
    Mutant(
        "reference scores never forgotten",
        NESTED,
        (("scores, self.kept = self.kept, self.kept.new_zeros(0, self.kept.shape[1])", "scores = self.kept"),),
        TEST_NESTED,
    ),
    Mutant(
        "tails that vanish below the references",
        TAILS,
        (("torch.where(v > 0, 2 * torch.asinh(v / 2), v)", "v"),),
        TEST_TAILS,
    ),
    Mutant(
        "the gradient of a far tail n times too large",
        TAILS,
        (
            (
                "return (logs - largest[:, None]).exp().mean(1).log() + largest",
                "return torch.logsumexp(logs, 1) - math.log(logs.shape[1])",
            ),
        ),
        TEST_TAILS,
    ),
    Mutant("tail probabilities the wrong way round", TAILS, (("for w in (u, -u)", "for w in (-u, u)"),), TEST_TAILS),
    Mutant("Fisher without its two", COUNCIL, (("-2 * log_p.sum(0)", "-log_p.sum(0)"),), TEST_COUNCIL),
    Mutant(
        "Stouffer divided by k",
        COUNCIL,
        (("/ math.sqrt(len(log_p))", "/ len(log_p)"),),
        TEST_COUNCIL,
    ),
    Mutant(
        "averages of an earlier phase kept",
        AVERAGED,
        (("            self.count.zero_()\n", ""),),
        TEST_AVERAGED,
    ),
    Mutant(
        "averaging from the start",
        AVERAGED,
        (("if self.elapsed > self.hp.start:", "if True:"),),
        TEST_AVERAGED,
    ),
    Mutant(
        "typical of training images",
        NESTED,
        (('on="held_out", after_epoch=end', 'on="train", after_epoch=end'),),
        "tests/methods/test_typical.py",
    ),
    Mutant(
        "ensemble of raw scores",
        "scores/mean.py",
        (("(member(x) - mean) / deviation", "member(x) - mean"),),
        "tests/methods/test_ensemble.py",
    ),
    Mutant(
        "hybrid reconstructs the hard image",
        HYBRID,
        (("self.error(x, self.ae.decoder(z_worst))", "self.error(worst, self.ae.decoder(z_worst))"),),
        TEST_HYBRID,
    ),
    Mutant(
        "hybrid detaches the clean code",
        HYBRID,
        (("mean_square(z, z_worst)", "mean_square(z.detach(), z_worst)"),),
        TEST_HYBRID,
    ),
]
