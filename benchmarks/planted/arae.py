"""Faults in ARAE, its adversaries and nets, and the measure of robustness."""

from __future__ import annotations

from planted import Mutant

ARAE, TEST_ARAE = "methods/arae.py", "tests/methods/test_arae.py"
PERTURBATION, TEST_PERTURBATION = "adversaries/perturbation.py", "tests/adversaries/test_perturbation.py"

MUTANTS = [
    Mutant(
        "arae: the clean code gets no gradient",
        ARAE,
        (("z = self.ae.encoder(x)  #", "z = self.ae.encoder(x).detach()  #"),),
        TEST_ARAE,
    ),
    Mutant(
        "arae: the hard image is its own target",
        ARAE,
        (("self.error(torch.cat([x] * k), self.ae.decoder(z_worst))", "self.error(worst, self.ae.decoder(z_worst))"),),
        TEST_ARAE,
    ),
    Mutant(
        "arae: the frozen encoder is never refreshed",
        ARAE,
        (("self.frozen.load_state_dict(self.attacked.state_dict())", "self.frozen.eval()"),),
        TEST_ARAE,
    ),
    Mutant(
        "arae: the whole set is attacked with the present weights",
        ARAE,
        (("net = self.attacked if self.frozen is None else self.frozen", "net = self.attacked"),),
        TEST_ARAE,
    ),
    Mutant(
        "arae: gamma is left out",
        ARAE,
        (('total = recon + self.hp.gamma * losses["latent"]', 'total = recon + losses["latent"]'),),
        TEST_ARAE,
    ),
    Mutant(
        "arae: sum for mean in the errors",
        "objectives/latent.py",
        (("(a - b).square().flatten(1).mean(1)", "(a - b).square().flatten(1).sum(1)"),),
        "tests/objectives/test_latent.py",
    ),
    Mutant(
        "arae: the perturbation leaves the ball",
        PERTURBATION,
        (("delta.add_(ascent, alpha=step).clamp_(-self.eps, self.eps)", "delta.add_(ascent, alpha=step)"),),
        TEST_PERTURBATION,
    ),
    Mutant(
        "arae: the image is projected in place of the perturbation",
        PERTURBATION,
        (
            (
                "delta.add_(ascent, alpha=step).clamp_(-self.eps, self.eps)",
                "delta = (((x + delta).clamp(0, 1) + step * ascent).clamp(0, 1) - x).clamp_(-self.eps, self.eps)",
            ),
        ),
        TEST_PERTURBATION,
    ),
    Mutant(
        "arae: the start of the l2 attack lies on the sphere",
        PERTURBATION,
        (("delta = self.eps * radius * unit(", "delta = self.eps * unit("),),
        TEST_PERTURBATION,
    ),
    Mutant(
        "arae: images turn the other way",
        "adversaries/spatial.py",
        (("sin(radians(angle))", "-sin(radians(angle))"),),
        "tests/adversaries/test_spatial.py",
    ),
    Mutant(
        "arae: the grid moves every image alike",
        "adversaries/spatial.py",
        (("higher = values > highest", "higher = (values.mean() > highest.mean()).expand(len(x))"),),
        "tests/adversaries/test_spatial.py",
    ),
    Mutant(
        "arae: uniform initial weights",
        "nets/mlp_autoencoder.py",
        (("nn.init.xavier_normal_", "nn.init.xavier_uniform_"),),
        "tests/nets/test_mlp_autoencoder.py",
    ),
    Mutant(
        "arae: odd sides are lost",
        "nets/strided_autoencoder.py",
        (("output_padding=odd", "output_padding=0"),),
        "tests/nets/test_strided_autoencoder.py",
    ),
    Mutant(
        "robustness: anomalies are attacked too",
        "evaluation/robustness.py",
        (("normal = np.flatnonzero(y == 0)", "normal = np.flatnonzero(y >= 0)"),),
        "tests/evaluation/test_robustness.py",
    ),
]
